"""The lock around the scheduler of an engine, and the threads that sleep until it has work for them."""

import threading
from collections.abc import Callable
from types import TracebackType

from service.mail import Mail
from service.scheduler import Scheduler


class Waking:
    """Guard every call of a scheduler; it is never held while the runner computes.

    Only threads that have work are woken: another one would take the interpreter from those, to find that there is
    nothing to do. Where requests come by mail, one of those who sleep waits for it; where nobody does, those who work
    have to look.
    """

    def __init__(self, scheduler: Scheduler, mail: Mail | None = None) -> None:
        """Take the scheduler, which has a shard for each thread."""
        self._scheduler, self._mail = scheduler, mail
        self._listener: int | None = None  # the shard whose thread waits for mail
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

    def fetch(self) -> None:
        """Fetch what has come, if nobody waits for it. Who calls does not hold the lock, and is awake."""
        if self._mail is not None and self._listener is None:
            self._mail.fetch()

    def sleep(self, shard: int) -> bool:
        """Wait until there is work for a shard; returns false once this is closed. Who calls holds the lock."""
        while not self._closed and not self._scheduler.has_work(shard):
            self._asleep.add(shard)
            if self._mail is not None and self._listener is None:
                self._listener = shard
                self._let_others(self._mail.wait)
                self._listener = None
                self._asleep.discard(shard)  # so that nobody rings for it any more
                self._let_others(self._mail.fetch)
            else:
                self._conditions[shard].wait()
        if self._mail is not None and self._listener is None and self._asleep:
            self._conditions[next(iter(self._asleep))].notify()  # who sleeps on waits for mail from now on
        return not self._closed

    def _let_others(self, work: Callable[[], None]) -> None:
        """Do something that needs no lock, meanwhile without it."""
        self._lock.release()
        try:
            work()
        finally:
            self._lock.acquire()

    def wake(self) -> None:
        """Wake whom there is work for. Who calls holds the lock, and has changed something that others may do."""
        for shard in [shard for shard in self._asleep if self._closed or self._scheduler.has_work(shard)]:
            self._asleep.remove(shard)  # it is about to look for itself
            if self._mail is not None and shard == self._listener:
                self._mail.ring()
            else:
                self._conditions[shard].notify()

    def close(self) -> None:
        """Wake everybody, for the last time. Who calls holds the lock."""
        self._closed = True
        self.wake()
