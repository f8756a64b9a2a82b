"""The best few pieces of a distribution are found, in one order everywhere."""

import numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from service.search.candidates import best


@given(arrays(numpy.float32, (2, 3, 40), elements=st.integers(-6, 0).map(float)), st.integers(1, 41))
def test_the_first_of_equals_come_first(scores: numpy.ndarray, count: int) -> None:
    """The best are those of a stable sort, also where pieces on both sides of the border are equal."""
    found = best(scores, scores - 1, count)
    wanted = numpy.argsort(-scores, axis=-1, kind="stable")[..., : found.ids.shape[-1]]
    assert found.ids.shape[-1] >= min(count, 40)
    assert (found.ids == wanted).all()
    assert (found.scores == numpy.take_along_axis(scores, wanted, -1)).all()
    assert (found.log_probabilities == found.scores - 1).all()
