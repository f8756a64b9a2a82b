"""Slots on a device: as many as are asked for, at addresses that stay."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy

from service.device.bound import Bound
from service.device.memory import Memory
from service.parts import Tensor
from service.request import Encoded

ALIGNED = 256  # bytes: what CUDA's own allocations begin at multiples of
IDS, TOTALS = numpy.dtype(numpy.int64), numpy.dtype(numpy.float64)


@dataclass(frozen=True)
class Block:
    """Name one tensor's memory: `count` numbers for each row, or hypothesis, one after the other."""

    address: int
    dtype: numpy.dtype
    count: int

    @property
    def stride(self) -> int:
        """Return the bytes of one row."""
        return self.count * self.dtype.itemsize

    def at(self, row: int) -> int:
        """Return the address of a row."""
        return self.address + row * self.stride


@dataclass(frozen=True)
class Phase:
    """Hold what one step leaves to the next, for each hypothesis; two of these take turns to be read and written.

    A step never writes what it reads: a graph may be run more than once while it is captured.
    """

    state: dict[str, Block]
    ids: Block
    parents: Block
    totals: Block


class Rack:
    """Hold the slots of one lane, for sources of up to `length` pieces: each has room for a source and a hypothesis."""

    def __init__(
        self, memory: Memory, slots: int, length: int, remembered: Sequence[Tensor], state: Sequence[Tensor]
    ) -> None:
        """Take the memory for tensors (B, S, *) or (B, *) that are remembered, and for states (B, W, *).

        Raises:
            DeviceFull: the device has not as much.
        """
        self.slots, self.length = slots, length
        self.bound: dict[tuple[object, ...], Bound] = {}  # what was bound to its addresses
        self.captures = False  # the device is to capture what runs on it, if it can: what is captured is never freed
        self._memory = memory
        sizes = {t.name: math.prod(t.features) * (length if "S" in t.shape else 1) for t in remembered}
        self._whole = {t.name for t in remembered if "S" not in t.shape}
        self._features = {t.name: math.prod(t.features) for t in remembered}
        types = {t.name: numpy.dtype(t.type) for t in (*remembered, *state)}
        wanted = [(types[name], count) for name, count in sizes.items()]
        left = [(types[t.name], math.prod(t.features)) for t in state] + [(IDS, 1), (IDS, 1), (TOTALS, 1)]
        wanted += [(IDS, 1), (IDS, 1), *left, *left]
        blocks = iter(_blocks(memory, wanted, slots))
        self.remembered = {name: next(blocks) for name in sizes}
        self.lengths, self.origin = next(blocks), next(blocks)  # `origin`: zeros, for nobody has another parent
        self.phases = tuple(
            Phase({t.name: next(blocks) for t in state}, next(blocks), next(blocks), next(blocks)) for _ in range(2)
        )

    def capture(self) -> None:
        """Have the device capture from now on what this thread runs here: a captured graph is for one thread alone."""
        self.bound.clear()
        self.captures = True

    def free(self) -> None:
        """Give its memory back, and let go of what was bound to it."""
        self.bound.clear()
        self._memory.free(next(iter((*self.remembered.values(), self.lengths))).address)

    def admit(self, encoded: Encoded, chosen: Sequence[int], row: int, phase: int, width: int) -> None:
        """Write the chosen rows of an encoder batch into `row` and those behind it, which have `width` hypotheses each.

        Of the hypotheses of a row, only the first gets its state; all continue that one in their first step.
        """
        self._memory.upload(self.lengths.at(row), encoded.lengths[numpy.asarray(chosen)])
        for first, count in _runs(chosen):
            place = row + first
            source = chosen[first]
            for name, block in self.remembered.items():
                value = encoded.memory[name]
                size = stride = self._features[name] * block.dtype.itemsize
                if name not in self._whole:
                    size, stride = (s * size for s in (min(value.shape()[1], self.length), value.shape()[1]))
                begin = value.data_ptr() + source * stride
                self._memory.move_rows(block.at(place), block.stride, begin, stride, size, count)
            for name, block in self.phases[phase].state.items():
                value, stride = encoded.state[name], block.stride
                begin = value.data_ptr() + source * stride
                self._memory.move_rows(block.at(place * width), width * stride, begin, stride, stride, count)

    def compact(self, into: Sequence[int], taken: Sequence[int], phase: int, width: int) -> None:
        """Move the rows `taken` into the places `into`, both of which ascend."""
        whole = [*self.remembered.values(), self.lengths]
        for first, count in _runs(taken, into):
            for block in whole:
                self._memory.move(block.at(into[first]), block.at(taken[first]), count * block.stride)
            for block in self.phases[phase].state.values():
                to, at = into[first] * width, taken[first] * width
                self._memory.move(block.at(to), block.at(at), count * width * block.stride)

    def copy(self, other: "Rack", rows: int, phase: int, width: int) -> None:
        """Copy the first rows of a rack for sources of the same length."""
        for mine, its in zip(
            (*self.remembered.values(), self.lengths), (*other.remembered.values(), other.lengths), strict=True
        ):
            self._memory.move(mine.address, its.address, rows * mine.stride)
        for name, block in self.phases[phase].state.items():
            its = other.phases[phase].state[name]
            self._memory.move(block.address, its.address, rows * width * block.stride)


def rack_bytes(slots: int, length: int, remembered: Iterable[Tensor], state: Iterable[Tensor]) -> int:
    """Return what a rack takes, but for a few hundred bytes that align it."""
    each = 2 * IDS.itemsize + 2 * (2 * IDS.itemsize + TOTALS.itemsize)
    for tensor in remembered:
        count = math.prod(tensor.features) * (length if "S" in tensor.shape else 1)
        each += count * numpy.dtype(tensor.type).itemsize
    each += 2 * sum(math.prod(tensor.features) * numpy.dtype(tensor.type).itemsize for tensor in state)
    return slots * each


def _blocks(memory: Memory, wanted: Sequence[tuple[numpy.dtype, int]], slots: int) -> list[Block]:
    """Take one piece of memory for several tensors, each with something for every slot."""
    offsets, size = [], 0
    for dtype, count in wanted:
        offsets.append(size)
        size += -(-slots * count * dtype.itemsize // ALIGNED) * ALIGNED
    address = memory.allocate(size)
    return [Block(address + offset, dtype, count) for offset, (dtype, count) in zip(offsets, wanted, strict=True)]


def _runs(numbers: Sequence[int], others: Sequence[int] | None = None) -> list[tuple[int, int]]:
    """Find where numbers follow one another, and the others likewise: places where they begin, and how many."""
    others = numbers if others is None else others
    begins = [
        place
        for place in range(len(numbers))
        if not place or numbers[place] != numbers[place - 1] + 1 or others[place] != others[place - 1] + 1
    ]
    ends = [*begins[1:], len(numbers)][: len(begins)]
    return [(begin, end - begin) for begin, end in zip(begins, ends, strict=True)]
