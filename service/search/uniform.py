"""Random numbers that depend on a seed and a place alone, so that a draw is the same at any load."""

import numpy
from numpy.typing import NDArray

Words = NDArray[numpy.uint64]
GOLDEN_GAMMA = numpy.uint64(0x9E3779B97F4A7C15)


def uniform(seeds: Words, hypotheses: Words, steps: Words) -> NDArray[numpy.float64]:
    """Draw from [0, 1) for each place; the arguments broadcast.

    The place is hashed with the finalizer of SplitMix64 (Steele, Lea & Flood 2014, figure 17), once for each part.
    """
    with numpy.errstate(over="ignore"):  # arithmetic modulo 2^64 is meant
        state = _mix(seeds + GOLDEN_GAMMA)
        state = _mix(state + (hypotheses + numpy.uint64(1)) * GOLDEN_GAMMA)
        state = _mix(state + (steps + numpy.uint64(1)) * GOLDEN_GAMMA)
    return (state >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-53


def _mix(z: Words) -> Words:
    z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return z ^ (z >> numpy.uint64(31))
