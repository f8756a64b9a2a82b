"""Arrays whose first axis is the row of a lane: they grow, and close their gaps, together."""

from collections.abc import Sequence

import numpy


class Rows:
    """Keep every array attribute in step; what lies behind the first `rows` of them is free."""

    def __init__(self) -> None:
        self.rows = 0

    def extend(self, count: int) -> slice:
        """Append rows, whose content is left over from earlier ones; returns where they are."""
        start, self.rows = self.rows, self.rows + count
        for name, array in self._arrays():
            if self.rows > len(array):
                capacity = max(8, self.rows, 2 * len(array))
                grown = numpy.zeros((capacity, *array.shape[1:]), array.dtype)
                grown[: len(array)] = array
                setattr(self, name, grown)
        return slice(start, self.rows)

    def compact(self, into: Sequence[int], taken: Sequence[int], rows: int) -> None:
        """Move the rows `taken` into the places `into` and keep the first `rows`."""
        if into:
            for _, array in self._arrays():
                for gap, row in zip(into, taken, strict=True):  # a few
                    array[gap] = array[row]
        self.rows = rows

    def _arrays(self) -> list[tuple[str, numpy.ndarray]]:
        return [(name, value) for name, value in vars(self).items() if isinstance(value, numpy.ndarray)]
