"""Find hypotheses that say the same over and over."""

import numpy
from numpy.typing import NDArray

LONGEST_PERIOD = 8
REPEATS, LEAST = 3, 8  # pieces of a loop beyond its first period: 3 periods, and 8 pieces at least
WINDOW = (REPEATS + 1) * LONGEST_PERIOD


def beyond_first(period: int) -> int:
    """Return how many pieces must repeat before they count as a loop."""
    return max(REPEATS * period, LEAST)


def looped(ids: NDArray[numpy.int64], lengths: NDArray[numpy.int64]) -> NDArray[numpy.int64]:
    """Return how many pieces to cut of every hypothesis (B, W), 0 where it does not loop.

    Of `ids` (B, W, T) the first `lengths` (B,) count. One period of a loop stays.
    """
    window = _last(ids, lengths)
    cut = numpy.zeros(ids.shape[:2], numpy.int64)
    for period in range(LONGEST_PERIOD, 0, -1):  # so that the shortest counts
        repeats = window[..., period:] == window[..., :-period]
        cut[repeats[..., -beyond_first(period) :].all(axis=-1)] = beyond_first(period)
    return cut


def suspicious(ids: NDArray[numpy.int64]) -> int:
    """Return how many of the last pieces (T,) may yet turn out to belong to a loop, and be cut."""
    most = 0
    for period in range(1, min(LONGEST_PERIOD, len(ids) - 1) + 1):
        differs = numpy.flatnonzero(ids[period:] != ids[:-period])
        most = max(most, len(ids) - period - (int(differs[-1]) + 1 if len(differs) else 0))
    return most


def _last(ids: NDArray[numpy.int64], lengths: NDArray[numpy.int64]) -> NDArray[numpy.int64]:
    """Take the last pieces (B, W, WINDOW) of each hypothesis; before its first stand numbers that equal no other."""
    places = lengths[:, None] - WINDOW + numpy.arange(WINDOW)  # (B, WINDOW)
    taken = numpy.take_along_axis(ids, numpy.clip(places, 0, ids.shape[2] - 1)[:, None, :], axis=2)
    return numpy.where(places[:, None, :] < 0, -1 - numpy.arange(WINDOW), taken)
