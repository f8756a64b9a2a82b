"""Threads of an engine sleep until there is work for them, and others are left asleep."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from service.waking import Waking
from tests.factories import make_request, make_scheduler

PATIENCE = 30  # seconds


class Sleepers:
    """Let one thread sleep for each shard, and note who wakes."""

    def __init__(self, waking: Waking, shards: int) -> None:
        self.waking, self.answers = waking, dict[int, bool]()
        self.woken = [threading.Event() for _ in range(shards)]
        self._threads = [threading.Thread(target=self._sleep, args=(shard,), daemon=True) for shard in range(shards)]
        for thread in self._threads:
            thread.start()

    def _sleep(self, shard: int) -> None:
        with self.waking:
            self.answers[shard] = self.waking.sleep(shard)
        self.woken[shard].set()

    def wait_until_asleep(self, count: int) -> None:
        """Wait until so many sleep."""
        while True:
            with self.waking:
                if len(self.waking._asleep) == count:
                    return

    def end(self) -> None:
        """Wake everybody, and wait for them."""
        with self.waking:
            self.waking.close()
        for thread in self._threads:
            thread.join(PATIENCE)


@contextmanager
def sleepers(waking: Waking, shards: int) -> Iterator[Sleepers]:
    """Have all of them asleep, and end them."""
    asleep = Sleepers(waking, shards)
    asleep.wait_until_asleep(shards)
    try:
        yield asleep
    finally:
        asleep.end()


def test_only_who_has_work_is_woken() -> None:
    """One request is for the first shard; the second sleeps on."""
    scheduler = make_scheduler(slots=8, shards=2)
    waking = Waking(scheduler)
    with sleepers(waking, 2) as asleep:
        with waking:
            scheduler.submit(make_request(5, 6))
            waking.wake()
        assert asleep.woken[0].wait(PATIENCE)
        asleep.wait_until_asleep(1)
        assert not asleep.woken[1].is_set()
        assert asleep.answers == {0: True}
    assert asleep.answers == {0: True, 1: False}


def test_nobody_is_woken_for_nothing() -> None:
    """Not by a change that gives nobody work."""
    scheduler = make_scheduler(slots=8, shards=2)
    waking = Waking(scheduler)
    with sleepers(waking, 2) as asleep:
        with waking:
            waking.wake()
        asleep.wait_until_asleep(2)
        assert not any(woken.is_set() for woken in asleep.woken)


def test_who_finds_its_work_gone_sleeps_again() -> None:
    """Another thread was sooner; what comes next wakes it again."""
    scheduler = make_scheduler(slots=8, shards=1)
    waking = Waking(scheduler)
    first, second = make_request(5, 6), make_request(7, 8)
    with sleepers(waking, 1) as asleep:
        with waking:
            scheduler.submit(first)
            waking.wake()
            scheduler.cancel(first)
        asleep.wait_until_asleep(1)
        assert not asleep.woken[0].is_set()
        with waking:
            scheduler.submit(second)
            waking.wake()
        assert asleep.woken[0].wait(PATIENCE)
        assert asleep.answers == {0: True}


def test_a_closed_one_lets_nobody_sleep() -> None:
    """Neither who comes later."""
    waking = Waking(make_scheduler(slots=8, shards=1))
    with waking:
        waking.close()
        assert waking.closed
        assert not waking.sleep(0)
