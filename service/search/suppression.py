"""Sequences of pieces that a request never wants to see."""

from collections.abc import Sequence

import numpy

from service.options import Ids
from service.search import candidates

ANY, NONE = -1, -2  # stand for any piece in a sequence, and for no piece before the first


class Suppression:
    """Hold the sequences of one request, as Q heads (Q, L - 1) filled from the left and the last pieces (Q,)."""

    def __init__(self, sequences: Sequence[Ids]) -> None:
        longest = max(map(len, sequences)) - 1
        self._last = numpy.array([sequence[-1] for sequence in sequences], numpy.int64)
        self._heads = numpy.full((len(sequences), longest), ANY, numpy.int64)
        for head, sequence in zip(self._heads, sequences, strict=True):
            head[longest - len(sequence) + 1 :] = sequence[:-1]

    def forbid(self, scores: candidates.Floats, ids: candidates.Ids) -> None:
        """Forbid, in scores (W, V), each last piece whose head is what a hypothesis of `ids` (W, T) ends with."""
        width, longest = len(ids), self._heads.shape[1]
        missing = numpy.full((width, longest), NONE)
        recent = numpy.concatenate([missing, ids], axis=1)[:, ids.shape[1] :]  # (W, L - 1)
        heads = self._heads
        matches = ((heads == recent[:, None]) | (heads == ANY)).all(axis=2)  # (W, Q)
        hypothesis, sequence = numpy.nonzero(matches)
        scores[hypothesis, self._last[sequence]] = -numpy.inf
