"""The waiting line is in the order of turns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import line as line_module
from service.line import Line
from service.request import Request
from tests.factories import make_request

TURNS = st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 50)), unique=True)


def holds(line: Line, there: list[Request], turn: tuple[int, int]) -> bool:
    """Tell whether a line has these requests, in order, and what it says of those behind a turn is so."""
    newcomer = make_request()
    newcomer.turn = turn
    stretches = line.behind(newcomer)
    behind = [request for request in there if request.turn > turn]
    assert [request for stretch in stretches for request in stretch.requests] == behind
    for stretch in stretches:
        assert stretch.work == sum(request.work for request in stretch.requests)
        assert stretch.deadline <= min(request.deadline for request in stretch.requests)
        assert stretch.pieces >= max(len(request.source_ids) for request in stretch.requests)
    assert (line.work, len(line)) == (sum(request.work for request in there), len(there))
    assert line.first is (there[0] if there else None)
    return list(line) == there


@given(st.integers(1, 5), TURNS, st.tuples(st.integers(-4, 4), st.just(-1)), st.data())
def test_line_is_sorted_whoever_joins_and_leaves(
    longest: int, turns: list[tuple[int, int]], turn: tuple[int, int], data: st.DataObject
) -> None:
    """It holds whom it should, in order, and each leaves once; stretches of any length change nothing."""
    line, requests = Line(), [make_request(*range(5, 6 + number % 7)) for number in range(len(turns))]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(line_module, "LONGEST", longest)
        for number, (request, own) in enumerate(zip(requests, turns, strict=True)):
            request.turn, request.work, request.deadline = own, 1 + number, 100.0 - number
            line.add(request)
    left = set(data.draw(st.lists(st.sampled_from(requests)))) if requests else set()
    for request in left:
        assert line.remove(request)
        assert not line.remove(request)
    there = sorted((request for request in requests if request not in left), key=lambda request: request.turn)
    assert holds(line, there, turn)
    most = data.draw(st.integers(0, 60))
    assert line.take(most) == there[:most]
    assert holds(line, there[most:], turn)
    line.clear()
    assert holds(line, [], turn)
