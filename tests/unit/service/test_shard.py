"""A shard tells the others when there may be something for them to do."""

from collections.abc import Sequence

import numpy
from numpy.typing import NDArray

from service.request import Encoded
from service.shard import Shard
from service.stats import EngineStats
from service.waking import Waking
from tests.factories import FakeRunner, make_request, make_scheduler, search_of


class Bell(Waking):
    """Count how often others are woken."""

    rung = 0

    def wake(self) -> None:
        """Wake whom there is work for."""
        self.rung += 1
        super().wake()


def test_others_hear_when_somebody_who_was_encoded_for_a_shard_has_joined_it() -> None:
    """Until then nobody else was encoded, so that one without rows may sleep while others wait for it."""
    scheduler, runner = make_scheduler(slots=8, shards=2, full=8), FakeRunner()
    bell = Bell(scheduler)
    first, second = (
        Shard(number, scheduler, bell, runner, search_of, lambda news: None, EngineStats()) for number in (0, 1)
    )
    requests = [make_request(5, 6, 7, 8) for _ in range(4)]
    for request in requests[:2]:
        scheduler.submit(request)
    first.step()
    scheduler.submit(requests[2])
    second.step()
    scheduler.submit(requests[3])
    assert not scheduler.has_work(1)  # one is ready
    before = bell.rung
    first.step()
    assert scheduler.has_work(1)
    assert bell.rung > before


def test_others_hear_of_who_is_taken_to_be_encoded_before_it_is() -> None:
    """The next in line may be work for one that sleeps, and encoding takes long."""
    scheduler = make_scheduler(slots=8, shards=2)
    bell = Bell(scheduler)
    rung: list[int] = []

    class Noting(FakeRunner):
        def encode(self, sources: Sequence[NDArray[numpy.int64]]) -> Encoded:
            rung.append(bell.rung)
            return super().encode(sources)

    shard = Shard(0, scheduler, bell, Noting(), search_of, lambda news: None, EngineStats())
    scheduler.submit(make_request(5, 6))
    shard.step()
    assert rung == [1]


def test_every_step_is_told_of_also_one_that_has_no_news() -> None:
    """Who tells of several requests at a time has to hear that time passes."""
    scheduler, told = make_scheduler(), list[int]()
    shard = Shard(
        0, scheduler, Waking(scheduler), FakeRunner(), search_of, lambda news: told.append(len(news)), EngineStats()
    )
    scheduler.submit(make_request(5, 6, 7))
    while scheduler.busy:
        shard.step()
    assert sorted(told) == [0] * (len(told) - 1) + [1]
    assert len(told) > 3
