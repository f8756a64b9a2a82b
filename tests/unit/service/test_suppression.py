"""Suppressed sequences are never completed."""

import numpy
from hypothesis import example, given
from hypothesis import strategies as st

from service.search.suppression import Suppression

PIECES = 4
SEQUENCES = st.lists(st.lists(st.integers(0, PIECES - 1), min_size=1, max_size=5).map(tuple), min_size=1, max_size=12)


@st.composite
def said(draw: st.DrawFn) -> numpy.ndarray:
    """Draw hypotheses of one length, none of them too."""
    shape = draw(st.integers(1, 4)), draw(st.integers(0, 8))
    pieces = draw(st.lists(st.integers(0, PIECES - 1), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    return numpy.array(pieces, numpy.int64).reshape(shape)


@given(SEQUENCES, said())
@example([(3,), (1, 0), (0, 1, 2), (0, 1, 0), (3, 0, 1, 1)], numpy.array([[3, 0, 1], [2, 1, 0]]))
def test_what_would_complete_a_sequence_is_forbidden(sequences: list[tuple[int, ...]], ids: numpy.ndarray) -> None:
    """A piece is forbidden where a hypothesis would end with a sequence, and nowhere else."""
    scores = numpy.zeros((len(ids), PIECES), numpy.float32)
    Suppression(sequences).forbid(scores, ids)
    for row, hypothesis in zip(scores, ids.tolist(), strict=True):
        for piece, score in enumerate(row):
            whole = (*hypothesis, piece)
            completed = any(len(s) <= len(whole) and whole[-len(s) :] == s for s in sequences)
            assert score == (-numpy.inf if completed else 0)
