"""Keeps workers running: starts them, starts again who ends on its own, and ends when all of them have drained."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from service.workers.plan import Plan

log = logging.getLogger("service.workers")
LOOK_SECONDS = 0.1  # between two looks at a worker that starts
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds before a worker is started again; each is twice the one before
WELL_SECONDS = 60.0  # of serving, after which a worker's past ends are forgotten


class Process(Protocol):
    """A worker that was started (`process.WorkerProcess`)."""

    pid: int

    async def wait(self) -> int:
        """Wait for its end; returns the exit status, or the signal that ended it as a negative number."""

    async def is_ready(self) -> bool:
        """Tell whether it serves."""

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""


class Supervisor:
    """Own the workers, of whom each is started, watched and started again by itself."""

    def __init__(
        self, plans: Sequence[Plan], start: Callable[[Plan], Awaitable[Process]], all_ready: Callable[[], None]
    ) -> None:
        """Take who starts a process, and who is told when all workers have become ready for the first time."""
        self._plans, self._start, self._all_ready = plans, start, all_ready
        self._running: dict[int, Process] = {}
        self._have_served: set[int] = set()
        self._stop = asyncio.Event()
        self._ending: signal.Signals | None = None  # what running workers were sent, and later ones are
        self._asked: signal.Signals | None = None  # to stop, by a signal of our own
        self._killed = False

    async def run(self) -> int:
        """Run the workers until they are told to stop, or one does not start; returns the exit status."""
        statuses = await asyncio.gather(*(self._keep(plan) for plan in self._plans))
        if self._killed and self._asked is not None:
            return 128 + self._asked
        return next((status for status in statuses if status), 0)

    def on_signal(self, number: signal.Signals) -> None:
        """Pass the first signal on, and end all workers at once by the second."""
        if self._asked is None:
            self._asked = number
            log.info("%s: waiting until all workers have drained", number.name)
            self._end(number)
            return
        log.error("second signal: ending all workers at once")
        self._asked, self._killed = number, True
        self._ending = signal.SIGKILL
        self._send(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        """Ask all workers to stop, each once."""
        if not self._stop.is_set():
            self._stop.set()
            self._ending = number
            self._send(number)

    def _send(self, number: signal.Signals) -> None:
        for process in self._running.values():
            process.send(number)

    async def _keep(self, plan: Plan) -> int:
        """Run one worker, and again whenever it ends on its own; returns the exit status that this makes of it."""
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            status, seconds = await self._run_once(plan)
            if self._stop.is_set():
                return self._status_of_stopped(plan, status)
            if plan.number not in self._have_served:
                log.error("worker %d did not start (%s; why stands above): stopping all", plan.number, _told(status))
                self._end(signal.SIGTERM)
                return _exit_status(status) or 1
            if seconds >= WELL_SECONDS:
                pause = FIRST_PAUSE
            log.error("worker %d has ended (%s): starting it again in %.0f s", plan.number, _told(status), pause)
            await self._wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        return 0

    async def _run_once(self, plan: Plan) -> tuple[int, float]:
        """Start a worker and wait for its end; returns how it ended, and for how many seconds it had served."""
        try:
            process = await self._start(plan)
        except OSError as error:  # no memory, too many processes: that may pass
            log.error("worker %d: %s", plan.number, error)
            return 1, 0.0
        log.info("worker %d is process %d: %s", plan.number, process.pid, " ".join(plan.flags))
        self._running[plan.number] = process
        if self._ending is not None:  # it came while this one was being started
            process.send(self._ending)
        loop, ready_since = asyncio.get_running_loop(), None
        ended = loop.create_task(process.wait())
        while ready_since is None and not ended.done():
            if await process.is_ready():
                ready_since = loop.time()
                self._count_ready(plan)
            else:
                await asyncio.wait({ended}, timeout=LOOK_SECONDS)
        status = await ended
        del self._running[plan.number]
        return status, 0.0 if ready_since is None else loop.time() - ready_since

    def _count_ready(self, plan: Plan) -> None:
        log.info("worker %d is ready on %s", plan.number, plan.grpc_address)
        if plan.number not in self._have_served:
            self._have_served.add(plan.number)
            if len(self._have_served) == len(self._plans):
                self._all_ready()

    async def _wait(self, seconds: float) -> None:
        """Wait for a time, or until all is to stop."""
        stop = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({stop}, timeout=seconds)
        stop.cancel()

    def _status_of_stopped(self, plan: Plan, status: int) -> int:
        """Return 0 for a worker that drained, or had nothing to drain as it had not yet begun to serve."""
        if status in (0, -(self._ending or 0)):
            return 0
        log.error("worker %d has ended before it was done (%s)", plan.number, _told(status))
        return _exit_status(status)


def _told(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"signal {-status}, {signal.strsignal(-status)}"


def _exit_status(status: int) -> int:
    """Return what a shell would for a process that ended by a signal."""
    return status if status >= 0 else 128 - status
