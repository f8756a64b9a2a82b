"""Who must wait is told at once whether that can be in time, and the line is in the order of deadlines."""

import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.deadline import PATIENCE, PRIORITY_SECONDS
from service.errors import DeadlineExceeded, DeadlineUnmeetable, QueueFull
from service.forecast import MARGIN
from service.request import Request, Status
from service.scheduler import Scheduler
from tests.factories import MAX_LENGTH, Clock, make_request, make_scheduler

PIECES = 9  # of every source: ten steps with the end


def make(deadline: float = math.inf, priority: int = 0, **over: Any) -> Request:
    """Make a request of ten steps."""
    request = make_request(*range(5, 5 + PIECES), **over)
    request.deadline, request.priority = deadline, priority
    return request


def busy(slots: int = 1, waiting: int = 0, **over: Any) -> tuple[Scheduler, Clock]:
    """Make a scheduler whose steps take a second, with all slots taken, and some who wait."""
    clock = Clock()
    scheduler = make_scheduler(slots=slots, clock=clock, **over)
    for _ in range(slots):
        scheduler.submit(make())
        admit(scheduler)
    scheduler.pace.expect(1.0)
    for _ in range(waiting):
        scheduler.submit(make())
    return scheduler, clock


def admit(scheduler: Scheduler) -> list[Request]:
    """Schedule, encode at once, and return who has joined."""
    plan = scheduler.schedule()
    return plan.joining + scheduler.ready(0, plan.encoding)


def order(scheduler: Scheduler) -> list[Request]:
    """Let everybody in, one after the other; returns them in this order."""
    joined: list[Request] = []
    while scheduler.waiting:
        for lane in list(scheduler._lanes):
            scheduler.update(lane, scheduler.rows(lane))
        joined += admit(scheduler)
    return joined


def test_idle_server_refuses_nobody_who_has_time_left() -> None:
    """Where nobody waits and a slot is free, only a deadline that has passed is refused."""
    scheduler = make_scheduler(clock=Clock())
    scheduler.submit(make(deadline=1e-6))
    with pytest.raises(DeadlineExceeded):
        scheduler.submit(make(deadline=0.0))
    assert scheduler.waiting == 1


@pytest.mark.parametrize(("slots", "waiting", "wait"), [(1, 0, 5), (1, 2, 25), (4, 8, 21.25)])
def test_who_would_be_late_is_refused_and_nobody_else(slots: int, waiting: int, wait: float) -> None:
    """What runs is half done, those who wait share the slots, and then come its own steps, with some to spare."""
    scheduler, _ = busy(slots, waiting)
    in_time = MARGIN * wait + scheduler.pace.most_steps(PIECES, MAX_LENGTH)
    with pytest.raises(DeadlineUnmeetable, match=r"and take up to 1\d\.000 s, too late for its deadline in"):
        scheduler.submit(make(deadline=in_time - 0.1, priority=-1))
    assert scheduler.waiting == waiting
    scheduler.submit(make(deadline=in_time + 0.1, priority=-1))
    assert scheduler.waiting == waiting + 1


def test_earliest_deadline_first() -> None:
    """Of those who wait, who must be done first begins first; without a deadline that is after half a minute."""
    scheduler, clock = busy()
    patient, tight, late = make(), make(deadline=PATIENCE - 2), make(deadline=10 * PATIENCE)
    for request in (late, patient, tight):
        scheduler.submit(request)
    clock.now = 1.0
    after = make()
    scheduler.submit(after)
    assert order(scheduler) == [tight, late, patient, after]


def test_a_step_of_priority_is_worth_some_waiting() -> None:
    """Who has a priority passes those who came shortly before, and not those who came long before: nobody starves."""
    scheduler, clock = busy()
    scheduler.pace.expect(0.001)
    long_before, low = make(), make(priority=-1)
    for request in (long_before, low):
        scheduler.submit(request)
    clock.now = PRIORITY_SECONDS - 1
    before = make()
    scheduler.submit(before)
    clock.now = PRIORITY_SECONDS + 1
    high, normal = make(priority=1), make()
    for request in (normal, high):
        scheduler.submit(request)
    assert order(scheduler) == [long_before, high, before, low, normal]


def test_nobody_passes_who_would_be_late_then() -> None:
    """A tight deadline is refused where it would break the promise to one who is admitted already."""
    scheduler, _ = busy()
    promised = make(deadline=MARGIN * 5 + scheduler.pace.most_steps(PIECES, MAX_LENGTH) + 0.5)
    scheduler.submit(promised)
    with pytest.raises(DeadlineUnmeetable, match="make them late"):
        scheduler.submit(make(priority=9))
    patient = make()
    scheduler.submit(patient)
    assert order(scheduler) == [promised, patient]


def test_full_line_tells_when_to_come_again() -> None:
    """The line is bounded by requests and by source pieces; what it takes to be empty is the time to wait."""
    scheduler, _ = busy(waiting=2, queue_limit=2)
    with pytest.raises(QueueFull, match="2 requests are waiting, the limit is 2") as refused:
        scheduler.submit(make())
    assert refused.value.retry_after == pytest.approx(25)
    scheduler, _ = busy(waiting=2, queue_tokens=3 * PIECES - 1)
    with pytest.raises(QueueFull, match="18 source pieces are waiting, the limit is 26"):
        scheduler.submit(make())
    scheduler.submit(make_request(5))


def test_a_source_above_the_line_s_limit_waits_alone() -> None:
    """No source is too long for an empty line."""
    scheduler, _ = busy(queue_tokens=4)
    scheduler.submit(make())
    with pytest.raises(QueueFull):
        scheduler.submit(make_request(5))


@settings(max_examples=100)
@given(st.lists(st.tuples(st.floats(0.1, 60), st.integers(1, 30)), min_size=1, max_size=60), st.integers(1, 5))
@example([(1.0, 1), (1.0, 29)], 1)  # nobody asked the first when it would be done, and the second passed it
def test_admitted_means_finished(arrivals: list[tuple[float, int]], slots: int) -> None:
    """Where translations are as long as their sources and steps take a second, who is admitted is never late."""
    clock = Clock()
    scheduler = make_scheduler(slots=slots, clock=clock, queue_tokens=100_000)
    scheduler.pace.expect(1.0)
    left: dict[Request, int] = {}
    pending = [make_request(*range(5, 5 + pieces)) for _, pieces in arrivals]
    for request, (seconds, pieces) in zip(pending, arrivals, strict=True):
        request.deadline = clock.now + 2 * pieces + seconds
        try:
            scheduler.submit(request)
        except DeadlineUnmeetable:
            continue
        left[request] = pieces + 1
    while left:
        admit(scheduler)
        clock.now += 1
        for request in [one for one in left if one.status is Status.RUNNING]:
            left[request] -= 1
            if not left[request]:
                assert request.lane is not None
                request.steps = len(request.source_ids) + 1
                scheduler.update(request.lane, [request.row])
                del left[request]
                assert clock.now <= request.deadline + 1
