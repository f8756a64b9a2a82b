"""Draw pieces from what the options leave of their distribution.

Weights are probabilities but for a factor, in 32 bits, whose exponential and order numpy finds several times faster;
they are added up in 64.
"""

import numpy
from numpy.typing import NDArray

Weights = NDArray[numpy.float32]
Floats = NDArray[numpy.float64]
NUCLEUS = 256  # pieces that almost always hold what top_p leaves


def weigh(scores: Weights, temperatures: Floats) -> Weights:
    """Turn scores (B, W, V) into weights, 1 the greatest, at the rows' temperatures (B,)."""
    weights: Weights = scores - scores.max(axis=-1, keepdims=True)
    weights /= temperatures.astype(numpy.float32)[:, None, None]
    return numpy.exp(weights, out=weights)


def keep_best(weights: Weights, top_k: NDArray[numpy.int64]) -> None:
    """Forbid all but the `top_k` (B,) greatest of each hypothesis (B, W, V), and their equals; 0 keeps all."""
    size = weights.shape[-1]
    for count in numpy.unique(top_k[(top_k > 0) & (top_k < size)]).tolist():
        rows = weights[top_k == count]
        least = numpy.partition(rows, size - count, axis=-1)[..., size - count, None]
        weights[top_k == count] = numpy.where(rows < least, numpy.float32(0), rows)


def keep_probable(weights: Weights, top_p: Floats) -> None:
    """Forbid all but the fewest greatest whose probabilities reach `top_p` (B,), and their equals."""
    chosen = numpy.flatnonzero(top_p < 1)
    if not len(chosen):
        return
    rows = weights[chosen]
    sought = top_p[chosen][:, None] * rows.sum(axis=-1, dtype=numpy.float64)
    least = numpy.empty((*rows.shape[:-1], 1), numpy.float32)
    count, size = NUCLEUS, rows.shape[-1]
    left = numpy.ones(sought.shape, numpy.bool_)
    while left.any():
        few = rows[left]
        greatest = few if count >= size else numpy.partition(few, size - count, axis=-1)[..., size - count :]
        falling = numpy.sort(greatest, axis=-1)[..., ::-1]
        reached = numpy.cumsum(falling, axis=-1, dtype=numpy.float64) >= sought[left][:, None]
        reached[:, -1] |= count >= size  # sums in other orders may differ in the last place
        least[left] = numpy.take_along_axis(falling, reached.argmax(axis=-1)[:, None], -1)
        left[left] = ~reached.any(axis=-1)
        count = size
    weights[chosen] = numpy.where(rows < least, numpy.float32(0), rows)


def draw(weights: Weights, uniform: Floats) -> NDArray[numpy.int64]:
    """Draw a piece for each hypothesis (B, W) of (B, W, V) by the inverse of its distribution at `uniform` (B, W)."""
    reached = numpy.cumsum(weights, axis=-1, dtype=numpy.float64)
    all_of_it = reached[..., -1:]
    below_all = numpy.nextafter(all_of_it, 0)  # the product may round up to it
    beyond = reached > numpy.minimum(uniform[..., None] * all_of_it, below_all)
    pieces: NDArray[numpy.int64] = beyond.argmax(axis=-1)
    return pieces
