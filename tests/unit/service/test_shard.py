"""A shard tells the others when there may be something for them to do."""

import threading

from service.shard import Shard
from service.stats import EngineStats
from tests.factories import FakeRunner, make_request, make_scheduler, search_of


class Bell(threading.Condition):
    """Count how often all are woken."""

    rung = 0

    def notify_all(self) -> None:
        """Wake all."""
        self.rung += 1
        super().notify_all()


def test_others_hear_when_somebody_who_was_encoded_for_a_shard_has_joined_it() -> None:
    """Until then nobody else was encoded, so that one without rows may sleep while others wait for it."""
    scheduler, lock, runner = make_scheduler(slots=8, shards=2, full=8), Bell(), FakeRunner()
    first, second = (
        Shard(number, scheduler, lock, runner, search_of, lambda news: None, EngineStats()) for number in (0, 1)
    )
    requests = [make_request(5, 6, 7, 8) for _ in range(4)]
    for request in requests[:2]:
        scheduler.submit(request)
    first.step()
    scheduler.submit(requests[2])
    second.step()
    scheduler.submit(requests[3])
    assert not scheduler.has_work(1)  # one is ready
    before = lock.rung
    first.step()
    assert scheduler.has_work(1)
    assert lock.rung > before
