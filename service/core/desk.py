"""Where requests come in from a server's process, and news of them goes out."""

import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from service.core.wire import (
    Accepted,
    Cancelled,
    Ended,
    Message,
    Numbered,
    Progressed,
    Refused,
    Submitted,
    Unframing,
    frame,
)
from service.errors import ServiceError
from service.mail import Taker
from service.request import Request

CHUNK = 1 << 16  # bytes that are read at a time
# What has ended is told together once all others in flight are no more than that and a few; a request waits for that a
# fourth of its time on the average, at most. Who is one of few does not wait: there is a core left to tell of it. How
# few they are best was measured: fewer in int8, whose steps are brief.
FEW, FEW_INT8 = 24, 8
PATIENCE = 0.04  # seconds after which the next step tells in any case
HURRIED = 1.0  # seconds to a deadline, more than any step takes, with which nobody waits


class Desk:
    """Number the requests of a server, as it does, and pass on what an engine says of them."""

    def __init__(self, server: socket.socket, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the socket that leads to the server."""
        self._server, self._clock = server, clock
        self.few = FEW  # in flight, of whom nobody waits for others
        self._requests = Numbered()
        self._fetching = threading.Lock()  # one thread at a time, so that messages are handed over in their order
        self._unframing = Unframing()
        self._writing = threading.Lock()  # threads of the engine have news, and refusals
        self._held: list[Message] = []  # not sent yet
        self._held_since = 0.0
        self._bell, self._rung = socket.socketpair()
        self._poll = select.poll()
        for one in (server, self._rung):
            self._poll.register(one, select.POLLIN)
        self._is_gone = False  # the server

    def open(self, taker: Taker) -> None:
        """Hand over to a taker what comes."""
        self._taker = taker

    def wait(self) -> None:
        """Wait until something has come, or somebody rings."""
        ready = dict(self._poll.poll())
        if self._rung.fileno() in ready:
            self._rung.recv(CHUNK)

    def ring(self) -> None:
        """Wake who waits, or who is going to."""
        self._bell.send(b".")

    def fetch(self) -> None:
        """Hand over what has come, if anything, unless another thread is doing that."""
        if not self._fetching.acquire(blocking=False):
            return
        try:
            for message in self._unframing.push(self._receive()):
                if isinstance(message, Submitted):
                    self._submit(message)
                elif isinstance(message, Cancelled):
                    self._cancel(message)
        finally:
            self._fetching.release()

    def _receive(self) -> bytes:
        """Read what is there; nothing for ever once the server is gone, of which others of this process hear, too."""
        if self._is_gone:
            return b""
        data = b""
        try:
            data = self._server.recv(CHUNK, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""
        except ConnectionError:  # it ended before it had read all news
            pass
        if not data:
            self._is_gone = True
            self._poll.unregister(self._server)
        return data

    def _submit(self, message: Submitted) -> None:
        request, number = message.request(), message.number
        self._requests.add(number, request)
        try:
            self._taker.submit(request)
        except ServiceError as error:
            self._requests.remove(request)
            self._send([Refused(number, error)])
            return
        if request.streams:  # of which a piece may have come already: it says the same, and more
            self._send([Accepted(number)])

    def _cancel(self, message: Cancelled) -> None:
        request = self._requests.request(message.number)
        if request is not None:  # else it has ended meanwhile
            self._requests.remove(request)
            self._taker.cancel(request)
            self.emit([])  # it may have been the last of many, after whom there is no step

    def emit(self, requests: list[Request]) -> None:
        """Tell the server of requests that have ended, or of which more is certain, if any; on any thread, every step.

        Whoever streams hears at once, and whoever has little time left. Of others that have ended, where many are in
        flight, some are told together: everybody on the way back is woken once for them, and not for each.
        """
        news: list[Message] = []
        at_once = False
        for request in requests:
            if request.finished_at:
                if (number := self._requests.remove(request)) is not None:
                    news.append(Ended.of(number, request))
                    at_once |= request.streams or request.deadline < request.finished_at + HURRIED
            elif (number := self._requests.number(request)) is not None:
                news.append(Progressed.of(number, request))
                at_once = True
        if not news and not self._held:
            return  # who held something since comes by again
        with self._writing:
            if news and not self._held:
                self._held_since = self._clock()
            self._held += news
            if self._held and (at_once or self._is_due()):
                self._send_held()

    def _is_due(self) -> bool:
        """Tell whether what is held waits no longer."""
        some = len(self._requests) <= self.few + len(self._held)
        return some or self._clock() - self._held_since >= PATIENCE

    def _send_held(self) -> None:
        """Send what is held. Who calls holds the lock."""
        held, self._held = self._held, []
        self._server.sendall(frame(held))

    def _send(self, news: list[Message]) -> None:
        with self._writing:
            self._server.sendall(frame(news))

    def abandon(self) -> NoReturn:
        """End this process once all is told: the server fails whatever it has sent, and sends no more."""
        with suppress(OSError), self._writing:  # the server may be gone, too
            if self._held:
                self._send_held()
        sys.stderr.flush()
        os._exit(1)

    def close(self) -> None:
        """Say no more, when nobody waits any more; what was said is still read."""
        self._bell.close()
        self._rung.close()
        with self._writing:
            if self._held:
                self._send_held()
            self._server.shutdown(socket.SHUT_WR)
