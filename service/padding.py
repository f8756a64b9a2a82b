"""Sources of different lengths as one array."""

from collections.abc import Sequence

import numpy
from numpy.typing import NDArray

Ids = NDArray[numpy.int64]
ALIGNMENT = 8  # lanes are as wide as a multiple: sums over other widths round differently (measured)


def aligned(length: int) -> int:
    """Return the next multiple of the alignment."""
    return -(-length // ALIGNMENT) * ALIGNMENT


def pad_sources(sources: Sequence[Ids], padding: int, multiple: int = 1) -> tuple[Ids, Ids]:
    """Put sources (S_i,) into one array (B, S), `padding` behind their ends; gives that and their lengths (B,).

    S is the next `multiple` of the longest.
    """
    lengths = numpy.array([len(source) for source in sources], numpy.int64)
    longest = -(-int(lengths.max()) // multiple) * multiple
    padded = numpy.full((len(sources), longest), padding, numpy.int64)
    for row, source in zip(padded, sources, strict=True):
        row[: len(source)] = source
    return padded, lengths
