"""The threads of a model: each advances a shard of those in flight, and all serve one line."""

import logging
import threading
import time
from collections.abc import Callable
from functools import reduce
from operator import add

from service.cpu import give_way
from service.deadline import is_over
from service.errors import FAILED, Draining, InternalError
from service.mail import Mail
from service.request import Lane, Request
from service.runner import Runner
from service.scheduler import Scheduler
from service.search.hypothesis import FinishReason
from service.search.search import Search
from service.shard import Shard
from service.stats import EngineStats, unmeasured
from service.waking import Waking

log = logging.getLogger("service.engine")


class Engine:
    """Compose the scheduler, which decides, and the shards, which compute."""

    def __init__(
        self,
        scheduler: Scheduler,
        runner: Runner,
        search: Callable[[Lane], Search],
        emit: Callable[[list[Request]], None],
        measured: bool = True,
        mail: Mail | None = None,
    ) -> None:
        """Take the parts; after every step a thread of the engine calls `emit` with who there is news of, if anybody.

        What is done is counted where it is `measured`. What comes by `mail` is fetched by the threads, between steps.
        """
        self.failed = False  # a thread has died: nothing will ever be answered
        self._scheduler = scheduler
        if mail is not None:
            mail.open(self)
        self._waking, self._mail = Waking(scheduler, mail), mail
        self._shards = [
            Shard(number, scheduler, self._waking, runner, search, emit, EngineStats() if measured else unmeasured())
            for number in range(scheduler.shards)
        ]
        self._unready: BaseException | None = None
        self._begun = [threading.Event() for _ in self._shards]
        self._threads = [
            threading.Thread(target=self._run, args=(shard,), name=f"engine-{shard.number}", daemon=True)
            for shard in self._shards
        ]

    @property
    def scheduler(self) -> Scheduler:
        """Return the scheduler, to read its gauges."""
        return self._scheduler

    @property
    def cause(self) -> Exception | None:
        """Return what failed last, whether or not a request failed by it."""
        return next((shard.cause for shard in self._shards if shard.cause), None)

    @property
    def stats(self) -> EngineStats:
        """Return what all shards have done so far."""
        return reduce(add, (shard.stats for shard in self._shards))

    def start(self) -> None:
        """Start the threads, and wait until each is ready to step; raises what kept one from it."""
        for thread in self._threads:
            thread.start()
        for begun in self._begun:
            begun.wait()
        if self._unready:
            self.close()
            raise self._unready

    def submit(self, request: Request) -> None:
        """Hand a request over; it is emitted when it has ended.

        Raises:
            QueueFull: the waiting line has reached a limit.
            DeadlineUnmeetable: it could not be done in time.
            DeadlineExceeded: its time is over.
            Draining: the engine is closed.
        """
        with self._waking:
            if self._waking.closed:
                raise Draining("the server is shutting down: send the request to another replica")
            self._scheduler.submit(request)
            self._waking.wake()

    def cancel(self, request: Request) -> None:
        """Give a request up: nothing more is emitted for it, and its slot is free at the next step."""
        with self._waking:
            request.cancelled_at = time.monotonic()
            if self._scheduler.cancel(request):
                late = is_over(request.deadline, request.submitted_at, request.cancelled_at)
                request.finish_reason = FinishReason.DEADLINE if late else FinishReason.CANCELLED
            self._waking.wake()

    def close(self) -> None:
        """Fail what is left with `draining`, and end the threads."""
        with self._waking:
            self._waking.close()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        self._fail_all(Draining("the server shut down before this request was finished"))

    def step(self) -> None:
        """Step every shard once, in the caller's thread; for an engine that was not started."""
        for shard in self._shards:
            shard.step()

    def _run(self, shard: Shard) -> None:
        give_way()  # the edge needs little time, but soon: who must be refused should hear of it
        try:
            shard.begin()
        except BaseException as error:  # a lost device, too: who started this thread hears of it
            self._unready = error
            return
        finally:
            self._begun[shard.number].set()
        try:
            while self._wait(shard):
                shard.step()
        except BaseException:
            self.failed = True
            log.exception("thread %d of the engine died", shard.number)
            with self._waking:
                self._waking.close()
            self._fail_all(InternalError(FAILED))
            if self._mail is not None:
                self._mail.abandon()
            raise

    def _wait(self, shard: Shard) -> bool:
        """Sleep until there is work for a shard; returns false once the engine is closed."""
        started = time.monotonic()
        self._waking.fetch()
        with self._waking:
            goes_on = self._waking.sleep(shard.number)
        shard.stats.phase_seconds["idle"] += time.monotonic() - started
        return goes_on

    def _fail_all(self, error: InternalError | Draining) -> None:
        with self._waking:
            left = self._scheduler.clear()
        self._shards[0].fail(left, error)
