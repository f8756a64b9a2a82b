"""Arrays whose first axis is the row of a lane: they grow, and close their gaps, together."""

from collections.abc import Sequence

import numpy


class Rows:
    """Keep every array attribute in step; what lies behind the first `rows` of them is free."""

    def __init__(self) -> None:
        self.rows = 0
        self._room = 0  # rows that all arrays have

    def reach(self, last: int) -> None:
        """Have rows up to one, whose content is left over from earlier ones."""
        if last >= self._room:
            room = max(8, last + 1, 2 * self._room)
            for name, array in self._arrays():
                grown = numpy.zeros((room, *array.shape[1:]), array.dtype)
                grown[: len(array)] = array
                setattr(self, name, grown)
            self._room = room  # not before all have it: there may be no memory
        self.rows = max(self.rows, last + 1)

    def compact(self, into: Sequence[int], taken: Sequence[int], rows: int) -> None:
        """Move the rows `taken` into the places `into` and keep the first `rows`."""
        if into:
            for _, array in self._arrays():
                for gap, row in zip(into, taken, strict=True):  # a few
                    array[gap] = array[row]
        self.rows = rows

    def _arrays(self) -> list[tuple[str, numpy.ndarray]]:
        return [(name, value) for name, value in vars(self).items() if isinstance(value, numpy.ndarray)]
