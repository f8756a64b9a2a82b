"""Draw pieces from what the options leave of their distribution."""

import numpy
from numpy.typing import NDArray

Scores = NDArray[numpy.float64]


def temper(scores: NDArray[numpy.float32], temperatures: Scores) -> Scores:
    """Divide scores (B, W, V) by the rows' temperatures (B,), greatest at 0."""
    tempered: Scores = scores / temperatures[:, None, None]
    tempered -= tempered.max(axis=-1, keepdims=True)
    return tempered


def keep_best(tempered: Scores, top_k: NDArray[numpy.int64]) -> None:
    """Forbid all but the `top_k` (B,) greatest of each hypothesis (B, W, V), and their equals; 0 keeps all."""
    size = tempered.shape[-1]
    for count in numpy.unique(top_k[(top_k > 0) & (top_k < size)]).tolist():
        rows = tempered[top_k == count]
        least = numpy.partition(rows, size - count, axis=-1)[..., size - count, None]
        tempered[top_k == count] = numpy.where(rows < least, -numpy.inf, rows)


def keep_probable(tempered: Scores, top_p: Scores) -> None:
    """Forbid all but the fewest greatest whose probabilities reach `top_p` (B,), and their equals."""
    chosen = top_p < 1
    rows = tempered[chosen]
    falling = -numpy.sort(-rows, axis=-1)
    reached = numpy.cumsum(numpy.exp(falling), axis=-1)
    enough = reached >= top_p[chosen][:, None, None] * reached[..., -1:]
    least = numpy.take_along_axis(falling, enough.argmax(axis=-1)[..., None], -1)
    tempered[chosen] = numpy.where(rows < least, -numpy.inf, rows)


def draw(tempered: Scores, uniform: Scores) -> NDArray[numpy.int64]:
    """Draw a piece for each hypothesis (B, W) of (B, W, V) by the inverse of its distribution at `uniform` (B, W)."""
    reached = numpy.cumsum(numpy.exp(tempered), axis=-1)
    all_of_it = reached[..., -1:]
    below_all = numpy.nextafter(all_of_it, 0)  # the product may round up to it
    beyond = reached > numpy.minimum(uniform[..., None] * all_of_it, below_all)
    pieces: NDArray[numpy.int64] = beyond.argmax(axis=-1)
    return pieces
