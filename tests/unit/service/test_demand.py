"""The load of a replica becomes a number of replicas."""

import pytest

from service.demand import BUSY, SECONDS, Demand
from service.search.hypothesis import FinishReason
from tests.factories import make_engine, make_request, make_requests, make_scheduler, run_dry


def test_a_load_that_lasts_is_worth_its_replicas() -> None:
    """Full slots are worth more than one replica, the busiest model counts, and a moment hardly does."""
    demand = Demand()
    demand.observe([1.0], 0.5)
    assert 0 < demand.replicas < 0.1
    for _ in range(200):
        demand.observe([0.2, 1.0], 0.5)
    assert demand.replicas == pytest.approx(1 / BUSY, rel=1e-3)
    demand.observe([], SECONDS)
    assert demand.replicas == pytest.approx(0.37 / BUSY, rel=0.01)  # 1/e is left
    for _ in range(200):
        demand.observe([], 0.5)
    assert demand.replicas == pytest.approx(0, abs=1e-3)


def test_load_counts_slots_and_the_line_at_the_measured_pace() -> None:
    """Slots in use count as they are; the line as the slots that would end it in a second."""
    scheduler = make_scheduler(slots=4)
    assert scheduler.load == 0
    for request in make_requests(6):
        scheduler.submit(request)
    work = sum(request.work for request in scheduler._in_line())
    scheduler.pace.step_seconds = 0.1
    assert scheduler.load == pytest.approx(work * 0.1 / 4)
    scheduler.ready(0, scheduler.schedule().encoding)
    assert scheduler.running == 4
    left = sum(request.work for request in scheduler._in_line())
    assert scheduler.load == pytest.approx(1 + left * 0.1 / 4)


def test_steps_that_nobody_got_are_counted() -> None:
    """Those of a request that was cancelled, for each of its hypotheses, and none of one that ended."""
    engine, finished = make_engine()
    kept, given_up = make_request(*range(5, 20)), make_request(*range(5, 20))
    for request in (kept, given_up):
        engine.submit(request)
    for _ in range(3):
        engine.step()
    engine.cancel(given_up)
    run_dry(engine)
    assert finished == [kept]
    assert given_up.finish_reason is FinishReason.CANCELLED
    assert engine.stats.wasted_steps == 3
    assert engine.stats.decode_rows.sum == 3 + kept.steps
