"""Attention weights become links between pieces or words."""

import numpy
from hypothesis import given
from hypothesis import strategies as st

from service.text.links import Link, Weights, hard, soft
from service.text.options import TextOptions
from service.text.pieces import Pieces
from service.text.protect import protect
from service.text.transfer import restore

SOURCE = Pieces("a bcd", [4, 5, 6], [(0, 1), (2, 4), (4, 5)])
TARGET = Pieces("xy z", [7, 8, 9, 9], [(0, 1), (1, 2), (2, 2), (3, 4)])
WEIGHTS = numpy.array([[0.5, 0.25, 0.25], [0.1, 0.4, 0.5], [1, 0, 0], [0.0, 0.5, 0.5]], numpy.float32)


def test_hard_links_take_the_greatest_weight() -> None:
    """Each target unit has one link, of weight 1; a unit without weight has none."""
    assert hard(WEIGHTS) == [Link(0, 0, 1.0), Link(2, 1, 1.0), Link(0, 2, 1.0), Link(1, 3, 1.0)]
    assert hard(numpy.zeros((2, 3), numpy.float32)) == []
    assert hard(numpy.zeros((0, 0), numpy.float32)) == []


def test_soft_links_leave_out_small_weights() -> None:
    """Links come by target, then source."""
    assert [link[:2] for link in soft(WEIGHTS, 0.3)] == [(0, 0), (1, 1), (2, 1), (0, 2), (1, 3), (2, 3)]
    assert len(soft(WEIGHTS, 0)) == WEIGHTS.size


def weights_of_words(weights: Weights, source: Pieces, target: Pieces) -> Weights:
    """Return the weights of words, (target, source), where nothing was protected."""
    return restore(protect(source.text, TextOptions()), source, target, weights, unknown_id=1).weights


def test_words_sum_over_source_and_average_over_target_pieces() -> None:
    """The piece that covers a lone space counts for no word."""
    found = weights_of_words(WEIGHTS, SOURCE, TARGET)
    numpy.testing.assert_allclose(found, [[0.3, 0.7], [0.0, 1.0]], atol=1e-6)


def test_piece_over_two_words_is_divided() -> None:
    """A piece that reaches over a mark gives each word the share of its characters there."""
    source, target = Pieces("ab,c", [4], [(0, 4)]), Pieces("x", [5], [(0, 1)])
    found = weights_of_words(numpy.ones((1, 1), numpy.float32), source, target)
    numpy.testing.assert_allclose(found, [[2 / 3, 1 / 3]])


@given(st.integers(0, 6), st.integers(1, 6), st.integers(0, 99))
def test_word_rows_are_distributions(target: int, source: int, seed: int) -> None:
    """Where words cover all pieces, rows go on summing to 1."""
    weights = numpy.random.default_rng(seed).dirichlet(numpy.ones(source), target).astype(numpy.float32)
    found = weights_of_words(weights, pairs(source), pairs(target))
    assert found.shape == ((target + 1) // 2, (source + 1) // 2)
    numpy.testing.assert_allclose(found.sum(axis=1), numpy.ones(len(found)), atol=1e-5)


def pairs(count: int) -> Pieces:
    """Make words of two pieces each, the last of one where `count` is odd."""
    starts = [index + index // 2 for index in range(count)]
    text = " ".join("x" * min(2, count - index) for index in range(0, count, 2))
    return Pieces(text, [5] * count, [(start, start + 1) for start in starts])
