"""Loops are found when they have gone on long enough, and never before."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.search.guard import LEAST, LONGEST_PERIOD, REPEATS, beyond_first, looped, suspicious


def cut_of(pieces: list[int]) -> int:
    """Return how many of the last pieces the guard cuts."""
    padded = numpy.zeros((1, 1, 80), numpy.int64)
    padded[0, 0, : len(pieces)] = pieces
    return int(looped(padded, numpy.array([len(pieces)]))[0, 0])


@pytest.mark.parametrize("period", range(1, LONGEST_PERIOD + 1))
def test_a_loop_is_cut_to_one_period(period: int) -> None:
    """The repeated pieces go once there are enough of them, and one period stays."""
    before, block = [90, 91, 92], list(range(5, 5 + period))
    enough = max(REPEATS * period, LEAST)
    assert beyond_first(period) == enough
    loop = (block * 40)[: period + enough]
    assert cut_of(before + loop) == enough
    assert cut_of(before + loop[:-1]) == 0
    assert cut_of([*before, *loop[:-1], 99]) == 0


def test_the_shortest_period_counts() -> None:
    """One piece over and over also repeats in twos and threes."""
    assert cut_of([7] * 30) == beyond_first(1)


@given(st.lists(st.integers(4, 6), min_size=1, max_size=40), st.integers(0, 39))
def test_what_is_cut_was_suspicious(pieces: list[int], more: int) -> None:
    """However a hypothesis goes on, nothing that was not suspicious is cut."""
    seen = pieces[: more + 1]
    certain = len(seen) - suspicious(numpy.array(seen))
    for length in range(len(seen), len(pieces) + 1):
        cut = cut_of(pieces[:length])
        if cut:
            assert length - cut >= certain
            return
