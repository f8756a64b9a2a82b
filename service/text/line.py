"""A target text as units that can be exchanged and moved apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from service.text.links import Weights, rows, share
from service.text.pieces import Pieces, Span
from service.text.words import Word, tokens, words

NO_ITEM = -1


@dataclass(frozen=True)
class Unit:
    """Hold a word or a mark, or a text put in place of some, and the space before it."""

    text: str
    gap: str
    words: bool = False  # the text is any number of words, not one
    item: int = NO_ITEM  # the index of the one that it is the text of

    @property
    def is_mark(self) -> bool:
        """Tell a punctuation mark from words."""
        return Word(self.text, 0, 0).is_mark

    def spans(self) -> list[Span]:
        """List where its words are in its text."""
        if self.is_mark:
            return []
        return [word.span for word in words(self.text)] if self.words else [(0, len(self.text))]


@dataclass(frozen=True)
class Line:
    """Hold U units, the attention of each to the S source pieces, (U, S), and the space at the end."""

    units: list[Unit]
    weights: Weights
    tail: str = ""


def line(target: Pieces, weights: Weights, whole: Sequence[Span]) -> Line:
    """Cut a target into units; each span of `whole` is one."""
    found = tokens(target.text, whole)
    ends = [0, *(token.end for token in found)]
    units = [Unit(token.text, target.text[end : token.start]) for token, end in zip(found, ends, strict=False)]
    return Line(units, rows(weights, share(target, [token.span for token in found])), target.text[ends[-1] :])


def sums(mass: Weights) -> NDArray[numpy.float64]:
    """Sum the weights (U, N) of units over the first 0 … N source tokens, (U, N + 1)."""
    return numpy.pad(mass.cumsum(axis=1, dtype=numpy.float64), ((0, 0), (1, 0)))


def separation(before: NDArray[numpy.float64], after: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    """Score the U + 1 places between units as the one that divides the source in two.

    The score of a place is the weight that units ahead of it give to the source's first part, `before` (U,), and units
    behind it to the second, `after` (U,).
    """
    ahead = numpy.pad(before.cumsum(), (1, 0))
    behind = numpy.pad(after.cumsum(), (1, 0))
    scores: NDArray[numpy.float64] = ahead + behind[-1] - behind
    return scores
