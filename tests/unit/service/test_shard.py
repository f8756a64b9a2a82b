"""A shard tells the others when there may be something for them to do."""

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
