"""The memory of a lane's slots: what a step reads, and the states that it leaves."""

from collections.abc import Sequence
from typing import Any

import numpy
from numpy.typing import NDArray

from service.padding import Ids, aligned
from service.parts import Tensor
from service.request import Arrays, Encoded

SPARE = 8  # positions that slabs may be too wide, as moving rows to others costs, too


class Slots:
    """Hold one lane: memory in slabs whose first rows are what a step reads, states as the last step left them.

    Slabs are as wide as the longest source in them, so that attention costs short ones little; a row's bits do not
    depend on the width. The hypotheses of a row are all the same until its first step, which computes one for all.
    """

    def __init__(self, memory: Sequence[Tensor], state: Sequence[Tensor], hypotheses: int) -> None:
        """Hold tensors of memory (B, S, *) or (B, *), and of states (B, W, *), as a graph declares them."""
        self.rows = 0
        self._capacity, self._width = 0, 0
        axes = {tensor.name: len(tensor.shape) - len(tensor.features) for tensor in memory}
        self._slabs: Arrays = {t.name: numpy.zeros((*(0,) * axes[t.name], *t.features), t.type) for t in memory}
        self._whole = {name for name, count in axes.items() if count == 1}  # (B, *), without positions
        self._lengths = numpy.zeros(0, numpy.int64)
        self._parents = numpy.zeros((0, hypotheses), numpy.int64)  # each hypothesis its own
        self._hypotheses = hypotheses
        self._state: Arrays = {t.name: numpy.zeros((0, hypotheses, *t.features), t.type) for t in state}
        self._first: Arrays = {}  # states (B, 1, *) of the last rows, which have had no step yet

    def admit(self, encoded: Encoded, chosen: Sequence[int], rows: Sequence[int]) -> None:
        """Write the chosen rows of an encoder batch into `rows`, which ascend and end behind those that are there.

        Of one hypothesis, rows may also take the places of others, who have left.
        """
        size = max(self.rows, rows[-1] + 1)
        if size > self._capacity:
            self._grow(max(size, 2 * self._capacity))
        for row, one in zip(rows, chosen, strict=True):  # a few, each copied once; indexed together, twice
            self._lengths[row] = encoded.lengths[one]
        self._fit(size)
        added = []
        for row, one in zip(rows, chosen, strict=True):
            self._write(row, {name: memory[one] for name, memory in encoded.memory.items()})
            if row >= self.rows:
                added.append(one)
                continue
            for name, state in self._state.items():
                state[row, 0] = encoded.state[name][one]
        first = {name: encoded.state[name][added][:, None] for name in self._state} if added else {}
        if self._hypotheses == 1:
            self._state = _below(self._state, first)
        else:
            self._first = _below(self._first, first)
        self.rows = size

    def _write(self, row: int, memory: Arrays) -> None:
        """Copy memory (S, *) or (*) into a row whose length is known: what lies behind that is masked."""
        for name, slab in self._slabs.items():
            part = ... if name in self._whole else slice(self._lengths[row])
            slab[row, part] = memory[name][part]

    def _grow(self, capacity: int) -> None:
        lengths = numpy.concatenate([self._lengths, numpy.zeros(capacity - self._capacity, numpy.int64)])
        parents = numpy.tile(numpy.arange(self._parents.shape[1]), (capacity, 1))
        self._allocate(capacity, self._width)
        self._lengths, self._parents = lengths, parents

    def _fit(self, rows: int) -> None:
        """Make the slabs wide enough for the first rows, and narrower where they are much wider."""
        width = aligned(int(self._lengths[:rows].max()))
        if width > self._width or width + SPARE < self._width:
            self._allocate(self._capacity, width)

    def _allocate(self, capacity: int, width: int) -> None:
        """Make slabs of another size; where there is no memory for all, all stay as they are."""
        kept = min(width, self._width)
        slabs = dict(self._slabs)
        for name, slab in self._slabs.items():
            if name in self._whole:
                if len(slab) < capacity:
                    more = numpy.zeros((capacity - len(slab), *slab.shape[1:]), slab.dtype)
                    slabs[name] = numpy.concatenate([slab, more])
                continue
            slabs[name] = numpy.zeros((capacity, width, *slab.shape[2:]), slab.dtype)
            slabs[name][: self.rows, :kept] = slab[: self.rows, :kept]
        self._slabs, self._capacity, self._width = slabs, capacity, width

    def compact(self, into: Sequence[int], taken: Sequence[int], rows: int) -> None:
        """Move the rows `taken` into the places `into` and keep the first `rows`."""
        # Some have had no step yet where who was admitted did not join the search.
        self._state, self._first = self.whole([self._state, self._first]), {}
        arrays: list[NDArray[Any]] = [self._lengths, *self._state.values()]
        for gap, row in zip(into, taken, strict=True):
            for array in arrays:
                array[gap] = array[row]
            self._write(gap, {name: slab[row] for name, slab in self._slabs.items()})
        self._state = {name: array[:rows] for name, array in self._state.items()}
        self.rows = rows
        if rows:
            self._fit(rows)

    def feeds(self, previous_ids: Ids, parents: Ids | None, following: bool = True) -> list[Arrays]:
        """Return what the rows that have begun read, and what those do that have not, as far as there are any.

        `following`: hypotheses follow their parents, none given each its own; else each goes on from itself.
        """
        begun = self.rows - len(next(iter(self._first.values()), ()))
        followed = self._parents if parents is None else parents
        parts = ((slice(0, begun), self._hypotheses, self._state), (slice(begun, self.rows), 1, self._first))
        return [
            {
                **{name: slab[rows] for name, slab in self._slabs.items()},
                **state,
                "source_lengths": self._lengths[rows],
                **({"parents": numpy.ascontiguousarray(followed[rows, :width])} if following else {}),
                "previous_ids": numpy.ascontiguousarray(previous_ids[rows, :width]),
            }
            for rows, width, state in parts
            if rows.start < rows.stop
        ]

    def follow(self, state: Arrays) -> None:
        """Take the states (B, W, *) that a step gave."""
        self._state, self._first = state, {}

    def whole(self, parts: Sequence[Arrays]) -> Arrays:
        """Join what a step gave for each of its feeds: arrays (B, W, *) of all rows."""
        *begun, last = parts
        if self._first and last:
            last = {name: numpy.repeat(array, self._hypotheses, axis=1) for name, array in last.items()}
        return _below(begun[0], last) if begun else last


def _below(above: Arrays, below: Arrays) -> Arrays:
    """Put arrays of the same names together, the rows of one under those of the other; either may have none."""
    if not above or not below:
        return above or below
    return {name: numpy.concatenate([array, below[name]]) for name, array in above.items()}
