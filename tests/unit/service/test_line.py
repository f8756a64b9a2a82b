"""The waiting line is in the order of turns."""

from hypothesis import given
from hypothesis import strategies as st

from service.line import Line
from tests.factories import make_request

TURNS = st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 50)), unique=True)


@given(TURNS, st.data())
def test_line_is_sorted_whoever_joins_and_leaves(turns: list[tuple[int, int]], data: st.DataObject) -> None:
    """It holds whom it should, in order, and each leaves once."""
    line, requests = Line(), [make_request() for _ in turns]
    for request, turn in zip(requests, turns, strict=True):
        request.turn = turn
        line.add(request)
    left = set(data.draw(st.lists(st.sampled_from(requests)))) if requests else set()
    for request in left:
        assert line.remove(request)
        assert not line.remove(request)
    there = sorted((request for request in requests if request not in left), key=lambda request: request.turn)
    assert list(line) == there
    assert (len(line), line.first) == (len(there), there[0] if there else None)
    most = data.draw(st.integers(0, 60))
    assert line.take(most) == there[:most]
    assert list(line) == there[most:]
    line.clear()
    assert line.first is None
