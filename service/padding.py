"""Sources of different lengths as one array."""

from collections.abc import Sequence

import numpy
from numpy.typing import NDArray

Ids = NDArray[numpy.int64]
ALIGNMENT = 8  # source lengths are padded to multiples: other lengths round sums differently (measured)


def aligned(length: int) -> int:
    """Return the next multiple of the alignment."""
    return -(-length // ALIGNMENT) * ALIGNMENT


def pad_sources(sources: Sequence[Ids], padding: int) -> tuple[Ids, Ids]:
    """Put sources (S_i,) into one array (B, S), `padding` behind their ends; gives that and their lengths (B,)."""
    lengths = numpy.array([len(source) for source in sources], numpy.int64)
    padded = numpy.full((len(sources), aligned(int(lengths.max()))), padding, numpy.int64)
    for row, source in zip(padded, sources, strict=True):
        row[: len(source)] = source
    return padded, lengths
