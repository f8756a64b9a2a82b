"""Links between source and target, read off attention weights."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy
from numpy.typing import NDArray

from service.text.pieces import Pieces, Span

Weights = NDArray[numpy.float32]


class Link(NamedTuple):
    """Connect a source unit with a target unit, by their indexes."""

    source: int
    target: int
    weight: float


def hard(weights: Weights) -> list[Link]:
    """Link each target unit to the source unit with the greatest weight of its row in (T, S); the link weighs 1.

    A row without any weight, such as that of a word made of spaces alone, has no link.
    """
    if not weights.size:
        return []
    best = weights.argmax(axis=1)
    return [Link(int(best[target]), int(target), 1.0) for target in numpy.flatnonzero(weights.max(axis=1) > 0)]


def soft(weights: Weights, min_weight: float) -> list[Link]:
    """List the weights (T, S) that are not below `min_weight`, by target, then source."""
    targets, sources = numpy.nonzero(weights >= min_weight)
    kept = numpy.minimum(weights[targets, sources], 1.0)  # sums of float32 may end a little above
    return [Link(*link) for link in zip(sources.tolist(), targets.tolist(), kept.tolist(), strict=True)]


def share(pieces: Pieces, units: Sequence[Span]) -> Weights:
    """Say how much of each piece belongs to each unit, (pieces, units).

    That is 1 for a piece inside a unit; one that reaches over several is divided by its characters in each; one that
    is in none, such as a lone space, has 0 throughout.
    """
    spans = numpy.array(pieces.spans, numpy.int64).reshape(-1, 1, 2)
    bounds = numpy.array(units, numpy.int64).reshape(1, -1, 2)
    common = numpy.minimum(spans[..., 1], bounds[..., 1]) - numpy.maximum(spans[..., 0], bounds[..., 0])
    common = common.clip(min=0)
    result: Weights = (common / common.sum(axis=1, keepdims=True).clip(min=1)).astype(numpy.float32)
    return result


def rows(weights: Weights, target_share: Weights) -> Weights:
    """Average the rows of (T, S) over each target unit's pieces (T, units), giving (units, S)."""
    pieces = target_share.sum(axis=0)[:, None]
    total: Weights = target_share.T @ weights
    mean: Weights = numpy.divide(total, pieces, out=numpy.zeros_like(total), where=pieces > 0)
    return mean
