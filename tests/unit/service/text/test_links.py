"""Attention weights become links between pieces or words."""

import numpy
from hypothesis import given
from hypothesis import strategies as st

from service.text.links import Link, hard, soft, unit_weights
from service.text.pieces import Pieces

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


def test_words_sum_over_source_and_average_over_target_pieces() -> None:
    """The piece that covers a lone space counts for no word."""
    found = unit_weights(WEIGHTS, SOURCE, [(0, 1), (2, 5)], TARGET, [(0, 2), (3, 4)])
    numpy.testing.assert_allclose(found, [[0.3, 0.7], [0.0, 1.0]], atol=1e-6)


def test_piece_over_two_words_is_divided() -> None:
    """A piece that reaches over a mark gives each word the share of its characters there."""
    source = Pieces("ab-c", [4], [(0, 4)])
    found = unit_weights(
        numpy.ones((1, 1), numpy.float32), source, [(0, 2), (3, 4)], Pieces("x", [5], [(0, 1)]), [(0, 1)]
    )
    numpy.testing.assert_allclose(found, [[2 / 3, 1 / 3]])


@given(st.integers(0, 6), st.integers(1, 6), st.integers(0, 99))
def test_word_rows_are_distributions(target: int, source: int, seed: int) -> None:
    """Where words cover all pieces, rows go on summing to 1."""
    weights = numpy.random.default_rng(seed).dirichlet(numpy.ones(source), target).astype(numpy.float32)
    pieces = [Pieces("x" * n, list(range(n)), [(i, i + 1) for i in range(n)]) for n in (source, target)]
    units = [[(i, min(i + 2, n)) for i in range(0, n, 2)] for n in (source, target)]
    rows = unit_weights(weights, pieces[0], units[0], pieces[1], units[1])
    numpy.testing.assert_allclose(rows.sum(axis=1), numpy.ones(len(units[1])), atol=1e-5)
