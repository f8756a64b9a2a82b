"""How finished hypotheses of one source compare (Wu et al. 2016, GNMT, equation 14)."""

import numpy
from numpy.typing import NDArray

LEAST = numpy.finfo(numpy.float32).tiny  # a source piece without any attention would cost infinitely much


def length_divisor(length: int, exponent: float) -> float:
    """Return lp(Y), by which the log-probability of `length` pieces is divided."""
    divisor: float = ((5 + length) / 6) ** exponent
    return divisor


def coverage(alignment: NDArray[numpy.float32]) -> float:
    """Return the bare coverage term of attention weights (L, S), at most 0; 0 when every source piece was attended."""
    attended = alignment.sum(axis=0, dtype=numpy.float64)
    return float(numpy.log(numpy.clip(attended, LEAST, 1)).sum())
