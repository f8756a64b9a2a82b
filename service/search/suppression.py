"""Sequences of pieces that a request never wants to see."""

from collections.abc import Sequence

import numpy

from service.options import Ids
from service.search import candidates

ROOT, NOWHERE = 0, -1  # the node of what nothing has to come before, and of what is in no sequence


class Suppression:
    """Hold the sequences of one request, as a tree of what comes before their last pieces, read backwards.

    So a step costs what hypotheses share with the sequences, however many these are.
    """

    def __init__(self, sequences: Sequence[Ids]) -> None:
        self._longest = max(map(len, sequences)) - 1
        self._before: dict[tuple[int, int], int] = {}  # the node of a node and the piece before it
        self._last: dict[int, list[int]] = {}  # the last pieces, by the node of all that comes before
        for sequence in sequences:
            node = ROOT
            for piece in sequence[-2::-1]:
                node = self._before.setdefault((node, piece), len(self._before) + 1)
            self._last.setdefault(node, []).append(sequence[-1])
        self._always = numpy.array(self._last.pop(ROOT, []), numpy.int64)

    def forbid(self, scores: candidates.Floats, ids: candidates.Ids) -> None:
        """Forbid, in scores (W, V), each last piece where a hypothesis of `ids` (W, T) ends with all before it."""
        scores[:, self._always] = -numpy.inf
        for hypothesis, recent in enumerate(ids[:, : -self._longest - 1 : -1].tolist()):
            forbidden = self._completing(recent)
            if forbidden:
                scores[hypothesis, forbidden] = -numpy.inf

    def _completing(self, recent: list[int]) -> list[int]:
        """List the pieces that would complete a sequence of several; `recent` has the latest piece first."""
        found: list[int] = []
        node = ROOT
        for piece in recent:
            node = self._before.get((node, piece), NOWHERE)
            if node == NOWHERE:
                break
            found += self._last.get(node, ())
        return found
