"""The lock around the scheduler of an engine, and the threads that sleep until it has work for them."""

import threading
from types import TracebackType

from service.scheduler import Scheduler


class Waking:
    """Guard every call of a scheduler; it is never held while the runner computes.

    Only threads that have work are woken: another one would take the interpreter from those, to find that there is
    nothing to do.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        """Take the scheduler, which has a shard for each thread."""
        self._scheduler = scheduler
        self._lock = threading.Lock()
        self._conditions = [threading.Condition(self._lock) for _ in range(scheduler.shards)]
        self._asleep: set[int] = set()  # shards that nobody has woken yet
        self._closed = False

    def __enter__(self) -> None:
        """Take the lock."""
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of it."""
        self._lock.release()

    @property
    def closed(self) -> bool:
        """Whether nobody sleeps any more."""
        return self._closed

    def sleep(self, shard: int) -> bool:
        """Wait until there is work for a shard; returns false once this is closed. Who calls holds the lock."""
        while not self._closed and not self._scheduler.has_work(shard):
            self._asleep.add(shard)
            self._conditions[shard].wait()
        return not self._closed

    def wake(self) -> None:
        """Wake whom there is work for. Who calls holds the lock, and has changed something that others may do."""
        for shard in [shard for shard in self._asleep if self._closed or self._scheduler.has_work(shard)]:
            self._asleep.remove(shard)  # it is about to look for itself
            self._conditions[shard].notify()

    def close(self) -> None:
        """Wake everybody, for the last time. Who calls holds the lock."""
        self._closed = True
        self.wake()
