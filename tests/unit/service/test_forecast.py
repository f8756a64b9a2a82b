"""Whoever is refused or admitted, it is as if each of those behind had been looked at."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service import line as line_module
from service.errors import DeadlineUnmeetable
from service.forecast import MARGIN, Forecast
from service.line import Line
from service.pace import Pace
from service.request import Request
from tests.factories import make_request

SLOTS = 3
ARRIVALS = st.tuples(
    st.integers(1, 12),  # pieces
    st.integers(1, 20),  # the greatest length
    st.integers(0, 9),  # turn
    # By how many seconds its deadline is later than it needs: around 0, and around what others delay it by.
    st.one_of(st.sampled_from([math.inf, 0.0, 0.5, 2.0, 50.0]), st.floats(-3, 12), st.floats(0, 40)),
)
EVENTS = st.tuples(
    st.sampled_from([False, False, True]),  # whether it joins if it is refused, so that some in line are late anyway
    st.sampled_from([0, 0, 0, 0, 0, 0, 0, 0, 1, 4]),  # how many begin
    st.sampled_from([None, None, None, None, 0, 3, 11]),  # who gives up
    st.sampled_from([1.0, 1.0, 1.0, 0.3, 1.2]),  # seconds of a step from then on
)


def plain(pace: Pace, running: int, request: Request, line: Sequence[Request], now: float) -> str:
    """Say what is decided about a request by a look at everybody in line; `running` is the work of those in slots."""

    def late_by(other: Request, ahead: int) -> float:
        wait = (ahead + running / 2 / SLOTS) / SLOTS * pace.step_seconds
        most = pace.most_steps(len(other.source_ids), other.options.max_length)
        return now + MARGIN * wait + most * pace.step_seconds - other.deadline

    behind = [other for other in line if other.turn > request.turn]
    ahead = sum(other.work for other in line if other.turn < request.turn)
    if late_by(request, ahead) > 0:
        return "too late for its deadline"
    delay = MARGIN * request.work / SLOTS * pace.step_seconds
    for other in behind:
        if 0 < late_by(other, ahead + request.work) <= delay:
            return "make them late"
        ahead += other.work
    return "admitted"


def decide(forecast: Forecast, request: Request, line: Line, now: float) -> str:
    """Say what the forecast decides."""
    behind = line.behind(request)
    try:
        forecast.check(request, line.work - sum(stretch.work for stretch in behind), behind, now)
    except DeadlineUnmeetable as refused:
        return next(why for why in ("too late for its deadline", "make them late") if why in str(refused))
    return "admitted"


@settings(max_examples=60)
@given(st.integers(1, 6), st.lists(st.tuples(ARRIVALS, EVENTS), min_size=40, max_size=60))
def test_nobody_is_judged_otherwise_than_by_a_look_at_all(longest: int, steps: list[tuple[Any, Any]]) -> None:
    """Deadlines are near and far, turns in any order, and some of the line begin or give up."""
    pace, line, now, running = Pace(SLOTS, 1.0), Line(), 0.0, list[Request]()
    forecast = Forecast(SLOTS, pace)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(line_module, "LONGEST", longest)
        for number, ((pieces, max_length, turn, more), (joins, begin, leaves, step_seconds)) in enumerate(steps):
            request = make_request(*range(5, 5 + pieces), max_length=max_length)
            request.work, request.turn = pace.steps(request), (turn, number)
            wait = forecast.wait(sum(other.work for other in line if other.turn < request.turn))
            request.deadline = now + MARGIN * wait + pace.most_steps(pieces, max_length) * pace.step_seconds + more
            expected = plain(pace, sum(other.work for other in running), request, list(line), now)
            assert decide(forecast, request, line, now) == expected
            if joins or expected == "admitted":
                line.add(request)
            if leaves is not None and len(line):
                line.remove(list(line)[leaves % len(line)])
            for other in line.take(begin):
                forecast.began(other)
                running.append(other)
            if len(running) > SLOTS:
                ended = running.pop(0)
                ended.steps = ended.work + number % 3
                forecast.ended(ended)
            pace.expect(step_seconds)
            now += 0.7
