"""The many ways to split texts into pieces, of which every epoch draws one (Kudo 2018, 3.2)."""

from array import array
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy
from numpy.typing import NDArray

Ways = tuple[Sequence[Sequence[int]], NDArray[numpy.float64]]  # of one text: piece ids, and the chance of each


class Segmentations:
    """Hold the likeliest ways to split each text: to find them takes longer than an epoch on a GPU does."""

    def __init__(self, texts: Iterable[Ways]) -> None:
        """Keep the ways of texts, of which each has at least one; chances add up to 1."""
        ids, ends, lasts, reached = array("i"), array("q", [0]), array("q"), array("d")
        for number, (ways, chances) in enumerate(texts):
            ids.extend(chain.from_iterable(ways))
            ends.extend(ends[-1] + numpy.cumsum([len(way) for way in ways]))
            lasts.append(len(ends) - 2)
            reached.extend(number + numpy.cumsum(chances))
        self._ids, self._ends, self._reached = numpy.array(ids), numpy.array(ends), numpy.array(reached)
        self._lasts = numpy.array(lasts)  # of each text, its last way
        self._firsts = numpy.array([0, *lasts])[:-1] + (numpy.arange(len(lasts)) > 0)

    def draw(self, random: numpy.random.Generator) -> list[list[int]]:
        """Draw one way to split each text."""
        chances = numpy.arange(len(self._lasts)) + random.random(len(self._lasts))
        ways = numpy.searchsorted(self._reached, chances, side="right")
        ways = numpy.clip(ways, self._firsts, self._lasts)  # the sum of a text's chances may be a little off
        return [self._ids[self._ends[way] : self._ends[way + 1]].tolist() for way in ways]
