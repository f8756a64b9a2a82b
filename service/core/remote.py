"""The core in a process of its own, as its server sees it: so neither waits for the other's interpreter lock."""

import asyncio
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

from service.core.interface import Facts
from service.core.wire import (
    Cancelled,
    Ended,
    Logs,
    Message,
    Numbered,
    Progressed,
    Refused,
    Submitted,
    Unframing,
    frame,
)
from service.deadline import is_over
from service.errors import FAILED, Draining, InternalError, ServiceError, StartupError
from service.request import Request, Status
from service.search.hypothesis import FinishReason
from service.setup import Setup
from service.state import EngineState

log = logging.getLogger("service.core")
ANSWER_SECONDS = 1.0  # for a question; a state that comes later is an old one
END_SECONDS = 1.0  # of a process that has closed its sockets
CLOSE_SECONDS = 10.0  # for the end, in which steps that have begun are finished
COMMAND = (sys.executable, "-m", "service.core.process")


class RemoteCore:
    """Hand requests to the process of an engine, and bring its news to the event loop."""

    def __init__(
        self, setup: Setup, loop: asyncio.AbstractEventLoop, notify: Callable[[list[Request]], None], logs: Logs
    ) -> None:
        """Start the process, and wait until it has loaded and verified the bundle; not on the event loop's thread.

        `notify` gets the requests of which there is news, on the event loop.

        Raises:
            StartupError: the bundle must not be served, or the process ended.
        """
        self._notify = notify
        self._requests = Numbered()
        self._handed_over = self._asked = 0
        self._closing = self.failed = False
        self._asking = threading.Lock()  # one question at a time
        here, there = socket.socketpair()
        news_here, news_there = socket.socketpair()
        with there, news_there:
            ends = there.fileno(), news_there.fileno()
            # In a group of its own, as Ctrl-C signals all of one, but in the same session: outside containers Linux
            # lets sessions take turns, and `take_turns` is for the threads of one.
            self._process = subprocess.Popen(
                [*COMMAND, *map(str, ends)], pass_fds=ends, stdin=subprocess.DEVNULL, process_group=0
            )
        self._control = Connection(here.detach())
        try:
            self.facts, self.state = self._load(setup, logs)
        except BaseException:
            news_here.close()
            self._kill()
            raise
        connecting = loop.create_unix_connection(lambda: _News(self), sock=news_here)
        self._transport, _ = asyncio.run_coroutine_threadsafe(connecting, loop).result()

    def _load(self, setup: Setup, logs: Logs) -> tuple[Facts, EngineState]:
        try:
            self._control.send((setup, logs))
            found = self._control.recv()
        except (EOFError, OSError) as error:
            raise StartupError(f"{setup.bundle.path}: the engine's process {self._ending()} while it loaded") from error
        if isinstance(found, BaseException):
            raise found
        facts, state = found
        return facts, state

    def _ending(self) -> str:
        try:
            status = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:  # nothing that it says can be understood
            self._kill()
            return "was killed, as it could not be heard any more"
        if status >= 0:
            return f"ended with status {status}"
        hint = ", as when memory runs out," if -status == signal.SIGKILL else ""
        return f"was ended by {signal.Signals(-status).name}{hint}"

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def busy(self) -> bool:
        """Whether somebody is waiting for an answer."""
        return bool(self._requests)

    def observe(self) -> EngineState:
        """Ask for the state; where no answer comes in time, the last one is returned."""
        with self._asking:
            if not self._closing:
                with suppress(EOFError, OSError):  # it has ended, of which the event loop hears by itself
                    self._ask()
        self.failed |= self.state.failed
        return self.state

    def _ask(self) -> None:
        self._asked += 1
        self._control.send(self._asked)
        answered = 0
        while answered < self._asked and self._control.poll(ANSWER_SECONDS):
            answered, self.state = self._control.recv()

    def submit(self, request: Request) -> None:
        """Hand a request over; one that is refused ends with an error.

        Raises:
            Draining: the core is closed.
            InternalError: the process has ended.
        """
        if self._closing:
            raise Draining("the server is shutting down: send the request to another replica")
        if self.failed:
            raise InternalError(FAILED)
        self._handed_over += 1
        self._requests.add(self._handed_over, request)
        request.status = Status.SENT
        self._transport.write(frame([Submitted.of(self._handed_over, request)]))

    def cancel(self, request: Request) -> None:
        """Give a request up: there is no more news of it, and its slot is free at the next step."""
        number = self._requests.remove(request)
        if number is None:
            return
        self._transport.write(frame([Cancelled(number)]))
        request.cancelled_at, request.status = time.monotonic(), Status.FINISHED
        late = is_over(request.deadline, request.submitted_at, request.cancelled_at)
        request.finish_reason = FinishReason.DEADLINE if late else FinishReason.CANCELLED

    def close(self) -> None:
        """Fail what is left with `draining`, and wait until the process has ended."""
        with self._asking:
            if self._closing:
                return
            self._closing = True
            try:
                self._control.send(None)
                self._process.wait(CLOSE_SECONDS)
            except OSError:
                log.info("process %d had ended already", self.pid)
            except subprocess.TimeoutExpired:
                log.warning("process %d did not end in time: it is killed", self.pid)
            self._kill()

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._control.close()

    def hear(self, news: list[Message]) -> None:
        """Note what is new of requests; who was given up meanwhile is passed over."""
        told = []
        for one in news:
            request = self._requests.request(one.number)
            if request is None:
                continue
            request.status = Status.WAITING  # in line or in slots
            if isinstance(one, Ended):
                self._requests.remove(request)
                request.status = Status.FINISHED
                one.tell(request)
            elif isinstance(one, Progressed):
                one.tell(request)
            elif isinstance(one, Refused):
                self._end(request, one.error)
            told.append(request)
        self._notify(told)

    def lose(self) -> None:
        """Fail what is left, as the process has ended."""
        if not self._closing:
            self.failed = True
            log.error("the engine's process %s", self._ending())
        left = list(self._requests)
        for request in left:
            error = Draining("the server shut down before this request was finished")
            self._end(request, error if self._closing else InternalError(FAILED), FinishReason.ERROR)
        self._notify(left)

    def _end(self, request: Request, error: ServiceError, reason: FinishReason | None = None) -> None:
        self._requests.remove(request)
        request.error, request.finish_reason, request.status = error, reason, Status.FINISHED
        request.finished_at = time.monotonic()


class _News(asyncio.Protocol):
    """Read what the process says."""

    def __init__(self, core: RemoteCore) -> None:
        self._core, self._unframing = core, Unframing()

    def data_received(self, data: bytes) -> None:
        """Pass on the messages that are whole."""
        if messages := self._unframing.push(data):
            self._core.hear(messages)

    def connection_lost(self, error: Exception | None) -> None:
        """Fail what is left."""
        self._core.lose()
