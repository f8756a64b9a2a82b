"""Slots on a device: as many as are asked for, at addresses that stay."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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

    def clear(self) -> None:
        """Make zeros of what is remembered.

        What lies behind a source is masked: its weight is 0, but 0 times what is no number is none.
        """
        for block in self.remembered.values():
            self._memory.clear(block.address, self.slots * block.stride)

    def admit(self, encoded: Encoded, chosen: Sequence[int], row: int, phase: int, width: int) -> None:
        """Write the chosen rows of an encoder batch into `row` and those behind it, which have `width` hypotheses each.

        Of the hypotheses of a row, only the first gets its state; all continue that one in their first step.
        """
        self._memory.upload(self.lengths.at(row), encoded.lengths[numpy.asarray(chosen)])
        for run in runs_of(chosen, range(row, row + len(chosen))):
            for name, block in self.remembered.items():
                value = encoded.memory[name]
                size = stride = self._features[name] * block.dtype.itemsize
                if name not in self._whole:
                    size, stride = (s * size for s in (min(value.shape()[1], self.length), value.shape()[1]))
                self._move(run, block.address, block.stride, value.data_ptr(), stride, size)
            for name, block in self.phases[phase].state.items():
                value, stride = encoded.state[name], block.stride
                self._move(run, block.address, width * stride, value.data_ptr(), stride, stride)

    def compact(self, into: Sequence[int], taken: Sequence[int], phase: int, width: int) -> None:
        """Move the rows `taken` into the places `into`, both of which ascend."""
        blocks = [(block.address, block.stride) for block in (*self.remembered.values(), self.lengths)]
        blocks += [(block.address, width * block.stride) for block in self.phases[phase].state.values()]
        for run in runs_of(taken, into):
            for address, stride in blocks:
                self._move(run, address, stride, address, stride, stride)

    def _move(self, run: "Run", target: int, stride: int, source: int, source_stride: int, size: int) -> None:
        """Copy `size` bytes of each row of a run, from and to tensors whose rows begin every so many bytes."""
        target, source = target + run.into * stride, source + run.taken * source_stride
        strides = run.into_step * stride, run.taken_step * source_stride
        self._memory.move_rows(target, strides[0], source, strides[1], size, run.rows)

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


class Run(NamedTuple):
    """Name rows that are copied by one call: each is as far behind the one before it as that is behind its own."""

    into: int
    taken: int
    into_step: int
    taken_step: int
    rows: int


def runs_of(taken: Sequence[int], into: Sequence[int]) -> list[Run]:
    """Divide rows into as few runs as there can be; the places ascend, the rows only where they are in a run."""
    runs, begin = [], 0
    while begin < len(taken):
        end, steps = begin + 1, (1, 1)  # the steps of one row alone do not count
        if end < len(taken) and taken[end] > taken[begin]:
            steps = into[end] - into[begin], taken[end] - taken[begin]
            while end < len(taken) and (into[end] - into[end - 1], taken[end] - taken[end - 1]) == steps:
                end += 1
        runs.append(Run(into[begin], taken[begin], *steps, end - begin))
        begin = end
    return runs
