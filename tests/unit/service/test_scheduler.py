"""The scheduler decides who runs where."""

import pytest

from service.core.local import lane_lengths
from service.errors import QueueFull
from service.request import Lane, Request, Status
from service.scheduler import Scheduler
from tests.factories import Clock, make_request, make_scheduler

AHEAD = 16  # encoded at a time


def admit(scheduler: Scheduler, shard: int = 0) -> list[Request]:
    """Schedule, encode at once, and return who has joined."""
    plan = scheduler.schedule(shard)
    return plan.joining + scheduler.ready(shard, plan.encoding)


def alike(count: int) -> list[Request]:
    """Make requests of one length."""
    return [make_request(5 + i) for i in range(count)]


def test_those_of_one_length_are_served_as_they_came() -> None:
    """Requests get slots in the order in which they came."""
    scheduler = make_scheduler(slots=2)
    requests = alike(5)
    for request in requests:
        scheduler.submit(request)
    assert admit(scheduler) == requests[:2]
    assert (scheduler.running, scheduler.waiting) == (2, 3)
    assert scheduler.oldest is requests[2]


def test_longer_ones_begin_earlier() -> None:
    """Who came first is done first, if each piece takes a step: who is a piece longer may come a step later."""
    clock = Clock()
    scheduler = make_scheduler(slots=1, clock=clock)
    scheduler.pace.expect(1.0)
    running, short, long, longer, later = (make_request(*range(5, 5 + count)) for count in (1, 2, 4, 5, 2))
    scheduler.submit(running)
    admit(scheduler)
    scheduler.submit(short)
    for _ in range(2):
        clock.now += 1
        scheduler.schedule()
    for request in (later, long, longer):  # two steps after it
        scheduler.submit(request)
    order = []
    for _ in range(4):
        scheduler.update(Lane(8), [0])
        order += admit(scheduler)
    assert order == [longer, short, long, later]


def test_nobody_waits_for_ever_behind_longer_ones() -> None:
    """A line that never empties, of ones that take longer, lets a short one through after so many steps."""
    scheduler = make_scheduler(slots=1)
    short = make_request(5)
    scheduler.submit(make_request(6))
    admit(scheduler)
    scheduler.submit(short)
    passed = 0
    while short.status is not Status.RUNNING:
        for _ in range(2):
            scheduler.submit(make_request(*range(5, 13)))
        scheduler.update(Lane(8), [0])
        admit(scheduler)
        passed += 1
    assert 1 < passed <= AHEAD + 8


def test_expected_length_is_no_more_than_the_limit() -> None:
    """A long source whose translation is bounded takes no longer than that."""
    scheduler = make_scheduler(slots=1, clock=Clock())
    first, bounded, other = make_request(5), make_request(*range(5, 13), max_length=1), make_request(5, 6)
    for request in (first, bounded, other):
        scheduler.submit(request)
    assert admit(scheduler) == [first]
    assert first.lane is not None
    scheduler.update(first.lane, [first.row])
    assert admit(scheduler) == [other]


def test_lane_follows_from_the_source_alone() -> None:
    """A source goes to the shortest lane that holds it."""
    scheduler = make_scheduler()
    lengths = {count: scheduler.lane_of(make_request(*range(count))) for count in (1, 8, 9, 32)}
    assert lengths == {1: Lane(8), 8: Lane(8), 9: Lane(16), 32: Lane(32)}


def test_full_line_refuses_and_keeps_nothing() -> None:
    """A request beyond the limit is refused, and is not in the line."""
    scheduler = make_scheduler(queue_limit=1)
    scheduler.submit(make_request())
    with pytest.raises(QueueFull, match="1 requests are waiting, the limit is 1"):
        scheduler.submit(make_request())
    assert scheduler.waiting == 1


def test_slot_of_a_finished_request_is_given_on_in_the_next_plan() -> None:
    """A request that ended makes room for one that waits, at once."""
    scheduler = make_scheduler(slots=1)
    first, second = alike(2)
    for request in (first, second):
        scheduler.submit(request)
    admit(scheduler)
    assert scheduler.update(Lane(8), [0]) == [first]
    assert admit(scheduler) == [second]
    assert second.row == 0


def test_gaps_are_closed_by_the_last_rows() -> None:
    """At most one row moves for each that left, and rows stay without gaps."""
    scheduler = make_scheduler(slots=5)
    requests = [make_request(i + 5) for i in range(5)]
    for request in requests:
        scheduler.submit(request)
    admit(scheduler)
    scheduler.update(Lane(8), [0, 2, 4])
    (compaction,) = scheduler.schedule().compactions
    assert (compaction.into, compaction.taken, compaction.rows) == ([0], [3], 2)
    assert (requests[3].row, requests[1].row) == (0, 1)


def test_who_joins_takes_the_place_of_who_left() -> None:
    """So no row moves for it; gaps that are left are closed, and who finds none is behind all others."""
    scheduler = make_scheduler(slots=5, replaces=True)
    requests = alike(11)
    for request in requests:
        scheduler.submit(request)
    assert admit(scheduler) == requests[:5]
    scheduler.update(Lane(8), [0, 2, 3])
    plan = scheduler.schedule()
    assert (plan.joining, plan.compactions) == (requests[5:8], [])
    assert [request.row for request in requests[5:8]] == [0, 2, 3]
    for request in requests[8:10]:
        scheduler.cancel(request)
    scheduler.update(Lane(8), [0, 1])
    plan = scheduler.schedule()
    assert (plan.joining, requests[10].row) == (requests[10:], 0)
    (compaction,) = plan.compactions
    assert (compaction.into, compaction.taken, compaction.rows) == ([1], [4], 4)
    assert requests[4].row == 1
    last = make_request(5)
    scheduler.submit(last)
    assert admit(scheduler) == [last]
    assert last.row == 4


def test_nobody_takes_the_place_of_one_of_several_hypotheses_or_of_whose_step_failed() -> None:
    """Rows of beams that begin lie behind all others, and of a failed step nothing may stay."""
    for options, fails in (({"beam_size": 2}, False), ({}, True)):
        scheduler = make_scheduler(slots=4, replaces=True)
        requests = [make_request(5 + i, **options) for i in range(5)]
        for request in requests:
            scheduler.submit(request)
        joined = admit(scheduler)
        lane = joined[0].lane
        assert lane
        if fails:
            scheduler.retry(lane, [0])
        else:
            scheduler.update(lane, [0])
        plan = scheduler.schedule()
        assert plan.joining == [requests[len(joined)]]
        assert plan.joining[0].row == len(joined) - 1
        (compaction,) = plan.compactions
        assert (compaction.into, compaction.taken) == ([0], [len(joined) - 1])


def test_who_has_waited_longest_counts_from_its_place_in_line() -> None:
    """A text of a large call is made long before there is room for it in line."""
    clock = Clock()
    scheduler = make_scheduler(slots=1, clock=clock)
    early, late = make_request(5), make_request(6)
    early.submitted_at, late.submitted_at = 1.0, 2.0
    for clock.now, request in ((10.0, late), (20.0, early)):
        scheduler.submit(request)
    assert scheduler.oldest is late
    assert (late.lined_up_at, early.lined_up_at) == (10.0, 20.0)


def test_cancel_in_the_line_and_in_a_slot() -> None:
    """A cancelled request leaves the line, or its slot with the next plan; twice changes nothing."""
    scheduler = make_scheduler(slots=1)
    running, waiting = alike(2)
    for request in (running, waiting):
        scheduler.submit(request)
    admit(scheduler)
    assert scheduler.cancel(waiting)
    assert scheduler.cancel(running)
    assert not scheduler.cancel(running)
    assert scheduler.busy  # its row is still to be cleared away
    admit(scheduler)
    assert not scheduler.busy
    assert running.status is waiting.status is Status.FINISHED


def test_row_that_ended_and_was_cancelled_ends_once() -> None:
    """A request cancelled during the step in which it ended is not finished a second time."""
    scheduler = make_scheduler()
    request = make_request()
    scheduler.submit(request)
    admit(scheduler)
    scheduler.cancel(request)
    assert scheduler.update(Lane(8), [0]) == []


def test_clear_returns_everybody_alive() -> None:
    """Clearing takes out those who wait and those who run, and not those who have left."""
    scheduler = make_scheduler(slots=2)
    requests = alike(3)
    for request in requests:
        scheduler.submit(request)
    admit(scheduler)
    scheduler.cancel(requests[0])
    assert scheduler.clear() == [requests[2], requests[1]]
    assert not scheduler.busy


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(1, (8,)), (64, (64,)), (65, (64, 72)), (256, (64, 128, 256)), (300, (64, 128, 256, 304))],
)
def test_lanes_reach_the_model_s_limit_in_multiples_of_8(limit: int, expected: tuple[int, ...]) -> None:
    """Lanes double from 64, and the last is just long enough."""
    assert lane_lengths(limit, 64) == expected


def test_emptiest_shard_takes_who_is_next() -> None:
    """Two shards fill evenly from one line; one that is fuller than the other has nothing to take."""
    scheduler = make_scheduler(slots=5, shards=2)
    requests = alike(6)
    for request in requests:
        scheduler.submit(request)
    assert scheduler.has_work(0)
    assert not scheduler.has_work(1)  # one is not more than one shard holds
    assert admit(scheduler, 0) == requests[:1]
    assert admit(scheduler, 0) == []
    assert admit(scheduler, 1) == requests[1:3]  # up to one more than the other
    assert [request.lane and request.lane.shard for request in requests[:3]] == [0, 1, 1]
    assert admit(scheduler, 1) == []
    assert admit(scheduler, 0) == requests[3:5]  # the fifth slot is the last
    assert admit(scheduler, 1) == []
    assert (scheduler.running, scheduler.waiting) == (5, 1)


def test_shard_without_rows_sleeps_while_all_slots_are_taken() -> None:
    """A thread must not spin on a line that it can take nobody from."""
    scheduler = make_scheduler(slots=1, shards=2)
    for request in alike(2):
        scheduler.submit(request)
    admit(scheduler, 0)
    assert not scheduler.has_work(1)
    scheduler.update(Lane(8), [0])
    assert not scheduler.has_work(1)  # its row is still to be cleared away
    admit(scheduler, 0)
    assert scheduler.running == 1


def test_shard_moves_its_own_rows_alone() -> None:
    """The plan of one shard leaves the gaps of another."""
    scheduler = make_scheduler(slots=2, shards=2)
    for request in alike(2):
        scheduler.submit(request)
    admit(scheduler, 0)
    admit(scheduler, 1)
    scheduler.update(Lane(8), [0])
    scheduler.update(Lane(8, shard=1), [0])
    assert [compaction.lane.shard for compaction in scheduler.schedule(1).compactions] == [1]
    assert [compaction.lane.shard for compaction in scheduler.schedule(0).compactions] == [0]


def test_encoding_runs_ahead_of_the_slots() -> None:
    """When a slot is free and nobody is ready, many are encoded in one go; the next slots take those."""
    scheduler = make_scheduler(slots=2)
    requests = alike(AHEAD + 3)
    for request in requests:
        scheduler.submit(request)
    plan = scheduler.schedule()
    assert (plan.joining, plan.encoding) == ([], requests[:AHEAD])
    assert scheduler.waiting == len(requests)
    assert scheduler.ready(0, plan.encoding) == requests[:2]
    scheduler.update(requests[0].lane or Lane(8), [0])
    plan = scheduler.schedule()
    assert (plan.joining, plan.encoding) == (requests[2:3], [])
    assert (scheduler.running, scheduler.waiting) == (2, len(requests) - 3)


def test_nobody_is_encoded_while_somebody_is_ready() -> None:
    """What is encoded holds memory, so there is never more of it than one batch ahead."""
    scheduler = make_scheduler(slots=1)
    for _ in range(AHEAD + 2):
        scheduler.submit(make_request())
    assert len(admit(scheduler)) == 1
    for _ in range(AHEAD - 1):
        scheduler.update(Lane(8), [0])
        assert scheduler.schedule().encoding == []
    scheduler.update(Lane(8), [0])
    assert len(scheduler.schedule().encoding) == 2


def test_cancelled_and_failed_while_encoding() -> None:
    """Who is cancelled meanwhile never joins, who failed is out, and the others join."""
    scheduler = make_scheduler(slots=4)
    cancelled, failed, both, other, ready = requests = alike(5)
    for request in requests:
        scheduler.submit(request)
    encoding = scheduler.schedule().encoding
    assert {request.status for request in encoding} == {Status.ENCODING}
    assert scheduler.cancel(cancelled)
    assert scheduler.cancel(both)
    assert scheduler.drop([failed, both]) == [failed]
    assert scheduler.ready(0, encoding) == [other, ready]
    assert (scheduler.running, scheduler.waiting) == (2, 0)


def test_ready_requests_can_be_cancelled_and_cleared() -> None:
    """Who is encoded and has no slot yet is in line like anybody else."""
    scheduler = make_scheduler(slots=1)
    first, second, third = alike(3)
    for request in (first, second, third):
        scheduler.submit(request)
    admit(scheduler)
    assert (second.status, scheduler.oldest) == (Status.READY, second)
    assert scheduler.cancel(second)
    assert scheduler.oldest is third
    assert scheduler.clear() == [third, first]
    assert not scheduler.busy


def test_few_rows_stay_in_one_shard() -> None:
    """A shard is begun when the others have a few, and those who come later go where there are fewest."""
    scheduler = make_scheduler(slots=12, shards=3, full=2, few=2)
    for _ in range(9):
        scheduler.submit(make_request())
    assert [len(admit(scheduler, shard)) for shard in (2, 1, 0)] == [0, 0, 2]
    assert [len(admit(scheduler, shard)) for shard in (0, 2, 1)] == [0, 0, 2]
    assert [len(admit(scheduler, shard)) for shard in (0, 1, 2)] == [0, 0, 3]
    assert [len(admit(scheduler, shard)) for shard in (2, 1, 0)] == [0, 1, 1]


def test_last_shard_begins_when_the_others_are_full() -> None:
    """The one before begins when the first has a few."""
    scheduler = make_scheduler(slots=12, shards=3, full=4, few=2)
    for shard in (0, 0, 1, 1):
        scheduler.submit(make_request())
        assert not scheduler.has_work(2)
        assert len(admit(scheduler, shard)) == 1
    for _ in range(5):
        scheduler.submit(make_request())
    assert [len(admit(scheduler, shard)) for shard in (1, 0, 1, 2)] == [1, 2, 1, 1]


def test_shard_without_rows_encodes_for_one_with_many() -> None:
    """Few rows wait for the encoder themselves; of more, only those who are to join them do."""
    scheduler = make_scheduler(slots=12, shards=2, full=6, few=2)
    requests = alike(7)
    for some in (requests[:2], requests[2:4]):
        for request in some:
            scheduler.submit(request)
        assert not scheduler.has_work(1)
        assert admit(scheduler, 0) == some
    for request in requests[4:]:
        scheduler.submit(request)
    assert scheduler.has_work(1)
    assert scheduler.schedule(0).encoding == []
    plan = scheduler.schedule(1)
    assert plan.encoding == requests[4:]
    assert not scheduler.has_work(1)
    assert scheduler.ready(1, plan.encoding) == []
    assert [scheduler.has_work(shard) for shard in (0, 1)] == [True, False]
    assert scheduler.schedule(0).joining == requests[4:6]
    assert scheduler.has_work(1)  # the first shard is full
    assert scheduler.schedule(1).joining == requests[6:]


def test_nobody_encodes_while_all_slots_are_taken() -> None:
    """A shard without rows has nothing to do until one is free."""
    scheduler = make_scheduler(slots=2, shards=2, full=4)
    for request in alike(3):
        scheduler.submit(request)
    assert len(admit(scheduler, 0)) == 2
    assert not scheduler.has_work(1)
    assert scheduler.schedule(1).encoding == []
