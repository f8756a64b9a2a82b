"""Sampling keeps what it should of a distribution, and draws in proportion."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.search.draw import draw, keep_best, keep_probable, temper
from service.search.uniform import uniform

PROBABILITIES = numpy.array([0.5, 0.05, 0.25, 0.2], numpy.float32)


def tempered(temperature: float = 1.0, rows: int = 1) -> numpy.ndarray:
    """Return (rows, 1, 4) of the same scores."""
    scores = numpy.tile(numpy.log(PROBABILITIES), (rows, 1, 1))
    return temper(scores, numpy.full(rows, temperature))


def kept(scores: numpy.ndarray) -> list[int]:
    """List the pieces that the first row may still draw."""
    return numpy.flatnonzero(scores[0, 0] > -numpy.inf).tolist()


@pytest.mark.parametrize(
    ("count", "pieces"), [(0, [0, 1, 2, 3]), (1, [0]), (2, [0, 2]), (3, [0, 2, 3]), (9, [0, 1, 2, 3])]
)
def test_top_k(count: int, pieces: list[int]) -> None:
    """The best so many stay."""
    scores = tempered()
    keep_best(scores, numpy.array([count]))
    assert kept(scores) == pieces


@pytest.mark.parametrize(
    ("share", "pieces"), [(0.3, [0]), (0.5, [0]), (0.6, [0, 2]), (0.9, [0, 2, 3]), (1.0, [0, 1, 2, 3])]
)
def test_top_p(share: float, pieces: list[int]) -> None:
    """The fewest that reach the share stay."""
    scores = tempered()
    keep_probable(scores, numpy.array([share - 1e-7]))
    assert kept(scores) == pieces


def test_rows_have_their_own_options() -> None:
    """What one row keeps is not what another keeps."""
    scores = tempered(rows=3)
    keep_best(scores, numpy.array([1, 0, 2]))
    assert [(row > -numpy.inf).sum() for row in scores] == [1, 4, 2]


@given(st.floats(0, 1, exclude_max=True))
def test_a_draw_inverts_the_distribution(place: float) -> None:
    """A place of [0, 1) belongs to the piece whose part of it holds it."""
    piece = int(draw(tempered(), numpy.array([[place]]))[0, 0])
    ends = PROBABILITIES.astype(float).cumsum()
    assert place <= ends[piece] + 1e-6
    assert piece == 0 or place >= ends[piece - 1] - 1e-6


def test_the_last_place_is_in_the_distribution() -> None:
    """The greatest number below 1 draws a piece that is possible."""
    scores = tempered()
    scores[0, 0, [1, 3]] = -numpy.inf
    assert int(draw(scores, numpy.array([[numpy.nextafter(1, 0)]]))[0, 0]) == 2


def test_uniform_numbers_are_uniform_and_their_own() -> None:
    """Seeds, hypotheses and steps all make a difference, and the numbers fill [0, 1)."""
    parts = [numpy.arange(20, dtype=numpy.uint64).reshape(shape) for shape in ((20, 1, 1), (20, 1), (20,))]
    drawn = uniform(*parts)
    assert len(numpy.unique(drawn)) == drawn.size == 8000
    assert 0 <= drawn.min() < 0.01
    assert 0.99 < drawn.max() < 1
    assert numpy.histogram(drawn, 10)[0] == pytest.approx(800, abs=120)
