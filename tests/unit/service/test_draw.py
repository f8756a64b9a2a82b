"""Sampling keeps what it should of a distribution, and draws in proportion."""

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.search.draw import NUCLEUS, draw, keep_best, keep_probable, weigh
from service.search.uniform import uniform

PROBABILITIES = numpy.array([0.5, 0.05, 0.25, 0.2], numpy.float32)


def weights_of(temperature: float = 1.0, rows: int = 1) -> numpy.ndarray:
    """Return weights (rows, 1, 4) of the same scores."""
    scores = numpy.tile(numpy.log(PROBABILITIES), (rows, 1, 1))
    return weigh(scores, numpy.full(rows, temperature))


def kept(weights: numpy.ndarray) -> list[int]:
    """List the pieces that the first row may still draw."""
    return numpy.flatnonzero(weights[0, 0]).tolist()


@pytest.mark.parametrize(
    ("count", "pieces"), [(0, [0, 1, 2, 3]), (1, [0]), (2, [0, 2]), (3, [0, 2, 3]), (9, [0, 1, 2, 3])]
)
def test_top_k(count: int, pieces: list[int]) -> None:
    """The best so many stay."""
    weights = weights_of()
    keep_best(weights, numpy.array([count]))
    assert kept(weights) == pieces


@pytest.mark.parametrize(
    ("share", "pieces"), [(0.3, [0]), (0.5, [0]), (0.6, [0, 2]), (0.9, [0, 2, 3]), (1.0, [0, 1, 2, 3])]
)
def test_top_p(share: float, pieces: list[int]) -> None:
    """The fewest that reach the share stay."""
    weights = weights_of()
    keep_probable(weights, numpy.array([share - 1e-7]))
    assert kept(weights) == pieces


def test_rows_have_their_own_options() -> None:
    """What one row keeps is not what another keeps."""
    weights = weights_of(rows=3)
    keep_best(weights, numpy.array([1, 0, 2]))
    assert [numpy.count_nonzero(row) for row in weights] == [1, 4, 2]


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 50.0]), st.floats(0.01, 0.999))
def test_top_p_of_many_pieces(seed: int, temperature: float, share: float) -> None:
    """However many it takes, the fewest that reach the share stay, whatever other rows ask for."""
    scores = numpy.random.default_rng(seed).normal(0, 4, (3, 2, 5 * NUCLEUS)).astype(numpy.float32)
    weights = weigh(scores, numpy.array([1.0, temperature, temperature]))
    left = weights.copy()
    keep_probable(left, numpy.array([1.0, share, 0.5]))
    assert (left[0] == weights[0]).all()
    for before, after in zip(weights[1], left[1], strict=True):
        parts = numpy.sort(before.astype(float) / before.sum(dtype=float))[::-1]
        reached = parts.cumsum()
        fewest = 1 + int((reached < share - 1e-9).sum()), 1 + int((reached < share + 1e-9).sum())
        assert numpy.count_nonzero(after) >= fewest[0]
        assert numpy.count_nonzero(before > after[after > 0].min()) < fewest[1]  # equals of the last one stay, too
        assert after.sum(dtype=float) >= (share - 1e-9) * before.sum(dtype=float)
    alone = weights[1:2].copy()
    keep_probable(alone, numpy.array([share]))
    assert (alone == left[1:2]).all()


@given(st.floats(0, 1, exclude_max=True))
def test_a_draw_inverts_the_distribution(place: float) -> None:
    """A place of [0, 1) belongs to the piece whose part of it holds it."""
    piece = int(draw(weights_of(), numpy.array([[place]]))[0, 0])
    ends = PROBABILITIES.astype(float).cumsum()
    assert place <= ends[piece] + 1e-6
    assert piece == 0 or place >= ends[piece - 1] - 1e-6


def test_the_last_place_is_in_the_distribution() -> None:
    """The greatest number below 1 draws a piece that is possible."""
    weights = weights_of()
    weights[0, 0, [1, 3]] = 0
    assert int(draw(weights, numpy.array([[numpy.nextafter(1, 0)]]))[0, 0]) == 2


def test_uniform_numbers_are_uniform_and_their_own() -> None:
    """Seeds, hypotheses and steps all make a difference, and the numbers fill [0, 1)."""
    parts = [numpy.arange(20, dtype=numpy.uint64).reshape(shape) for shape in ((20, 1, 1), (20, 1), (20,))]
    drawn = uniform(*parts)
    assert len(numpy.unique(drawn)) == drawn.size == 8000
    assert 0 <= drawn.min() < 0.01
    assert 0.99 < drawn.max() < 1
    assert numpy.histogram(drawn, 10)[0] == pytest.approx(800, abs=120)
