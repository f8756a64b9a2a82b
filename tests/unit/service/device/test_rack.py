"""Slots on a device: whoever joins, leaves or moves to a larger rack, every row keeps what is its own."""

import itertools
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.device.host import HostMemory
from service.device.lane import DeviceLane
from service.device.memory import DeviceFull
from service.device.rack import Block, runs_of
from service.device.shelf import Shelf
from service.parts import Tensor
from service.request import Encoded

KEYS = Tensor(name="keys", type="float16", shape=("B", "S", 2))
CONTEXT = Tensor(name="context", type="float32", shape=("B", 3))
STATE = Tensor(name="hidden_0", type="float32", shape=("B", "W", 3))
LENGTH = 32


def value(array: NDArray[Any]) -> Any:
    """Wrap an array as ONNX Runtime's values are."""
    return SimpleNamespace(shape=lambda: list(array.shape), data_ptr=lambda: array.ctypes.data, kept=array)


def encode(lengths: list[int], first: int) -> Encoded:
    """Make a batch whose rows hold their own numbers, from `first` on."""
    padded = -(-max(lengths) // 8) * 8
    numbers = numpy.arange(first, first + len(lengths))
    keys = numpy.broadcast_to(numbers[:, None, None], (len(lengths), padded, 2)).astype(numpy.float16)
    whole = numpy.repeat(numbers[:, None], 3, axis=1).astype(numpy.float32)
    memory = {"keys": value(keys), "context": value(whole)}
    return Encoded({"hidden_0": value(whole.copy())}, memory, numpy.array(lengths, numpy.int64))


def read(memory: HostMemory, block: Block, count: int) -> NDArray[Any]:
    """Copy the first rows of a block to the host."""
    array = numpy.zeros((count, block.count), block.dtype)
    memory.download(array, block.address)
    return array


def make(slots: int, size: int = 1 << 30) -> tuple[HostMemory, Shelf]:
    """Make a shelf of racks for sources of 32 pieces."""
    memory = HostMemory(size)
    return memory, Shelf(memory, slots, [LENGTH], [KEYS, CONTEXT], [STATE])


@settings(max_examples=150)
@given(
    st.integers(1, 3),
    st.lists(st.tuples(st.lists(st.integers(1, LENGTH), min_size=1, max_size=6), st.randoms()), min_size=1, max_size=8),
)
def test_rows_keep_what_is_theirs(width: int, steps: list[tuple[list[int], Any]]) -> None:
    """A row has its memory, length and state after any joining, leaving and growing, and steps in between."""
    memory, shelf = make(slots=4)  # so that lanes outgrow their first rack
    lane, alive, number = DeviceLane(shelf, LENGTH, width), list[tuple[int, int]](), 1
    for lengths, random in steps:
        chosen = list(range(len(lengths)))
        random.shuffle(chosen)
        lane.admit(encode(lengths, number), chosen)
        fresh = len(alive)
        alive += [(number + row, lengths[row]) for row in chosen]
        number += len(lengths)
        state = read(memory, lane.reads.state["hidden_0"], len(alive) * width)
        assert [row[0] for row in state[fresh * width :: width]] == [own for own, _ in alive[fresh:]]
        follow = numpy.repeat([[own] * 3 for own, _ in alive], width, axis=0).astype(numpy.float32)
        memory.upload(lane.writes.state["hidden_0"].address, follow)
        lane.stepped()
        leaving = {row for row in range(len(alive)) if random.random() < 0.5}
        size = len(alive) - len(leaving)
        into = sorted(row for row in leaving if row < size)
        taken = [row for row in range(size, len(alive)) if row not in leaving]
        for gap, row in zip(into, taken, strict=True):
            alive[gap] = alive[row]
        del alive[size:]
        lane.compact(into, taken, size)
        if not size:
            continue
        assert read(memory, lane.rack.lengths, size)[:, 0].tolist() == [length for _, length in alive]
        keys = read(memory, lane.rack.remembered["keys"], size).reshape(size, LENGTH, 2)
        for row, (own, length) in enumerate(alive):
            assert (keys[row, :length] == own).all()
        assert read(memory, lane.rack.remembered["context"], size)[:, 0].tolist() == [own for own, _ in alive]
        state = read(memory, lane.reads.state["hidden_0"], size * width)
        assert state[:, 0].tolist() == [own for own, _ in alive for _ in range(width)]


PLACES = st.lists(st.integers(0, 40), unique=True, max_size=20)


@given(PLACES, PLACES)
def test_runs_are_the_rows_one_by_one(taken: list[int], into: list[int]) -> None:
    """Every row goes where it should, and rows that are next to each other are in one run."""
    count = min(len(taken), len(into))
    taken, into = taken[:count], sorted(into[:count])
    runs = runs_of(taken, into)
    pairs = [(run.into + i * run.into_step, run.taken + i * run.taken_step) for run in runs for i in range(run.rows)]
    assert pairs == list(zip(into, taken, strict=True))
    assert all(run.into_step > 0 and run.taken_step > 0 for run in runs)
    adjacent = sum(b[0] - a[0] == b[1] - a[1] == 1 for a, b in itertools.pairwise(pairs))
    assert len(runs) <= count - adjacent


def test_rows_at_even_distances_are_one_run() -> None:
    """A call copies rows that are equally far from one another; any two that ascend are."""
    assert runs_of([7, 8, 9], [1, 3, 5]) == [(1, 7, 2, 1, 3)]
    assert len(runs_of([20, 21, 22, 23, 24], [0, 1, 5, 6, 9])) == 3
    assert len(runs_of([9, 3, 4, 6], [0, 1, 2, 3])) == 3
    assert runs_of([], []) == []


def test_a_phase_is_never_written_while_it_is_read() -> None:
    """What a step reads and what it writes are different places, in every rack."""
    _, shelf = make(slots=4)
    rack = shelf.take(1, LENGTH)
    read_first, read_next = rack.phases
    assert read_first.state["hidden_0"].address != read_next.state["hidden_0"].address
    assert {read_first.ids.address, read_first.totals.address}.isdisjoint(
        {read_next.ids.address, read_next.totals.address}
    )


def test_an_empty_lane_gives_its_rack_to_the_next() -> None:
    """The large rack goes round; who comes while it is taken gets one that is just large enough."""
    memory, shelf = make(slots=40)
    left = memory.left()
    first, second = DeviceLane(shelf, LENGTH, 1), DeviceLane(shelf, LENGTH, 1)
    first.admit(encode([3], 1), [0])
    assert first.rack is shelf.first[0]
    assert memory.left() == left
    second.admit(encode([3], 2), [0])
    assert second.rack.slots == 32
    first.compact([], [], 0)
    third = DeviceLane(shelf, LENGTH, 2)
    third.admit(encode([3], 3), [0])
    assert third.rack is shelf.first[0]


@pytest.mark.parametrize("more", [[], [LENGTH] * 4])
def test_nothing_stays_of_rows_that_no_step_has_proved(more: list[int]) -> None:
    """Neither on the rack of a lane whose step failed, nor on a smaller one that it had before."""
    memory, shelf = make(slots=4)
    lane = DeviceLane(shelf, LENGTH, 1)
    lane.admit(encode([LENGTH], 7), [0])
    racks = {id(lane.rack): lane.rack}
    if more:
        lane.admit(encode(more, 8), range(len(more)))
        racks[id(lane.rack)] = lane.rack
    assert len(racks) == 1 + bool(more)
    lane.leave()
    for rack in racks.values():
        for block in rack.remembered.values():
            assert not read(memory, block, rack.slots).any()


def test_full_device_is_said_and_idle_racks_are_given_up() -> None:
    """Where memory does not suffice, racks that nobody has go first; the message counts what is needed."""
    with pytest.raises(DeviceFull, match=r"4096 slots take \d+ MiB of the device's memory, 0 are left"):
        make(slots=4096, size=1 << 19)
    _, shelf = make(slots=8)
    each = shelf.bytes // 8
    memory, shelf = make(slots=8, size=each * (8 + 64) + 4096)
    lanes = [DeviceLane(shelf, LENGTH, 1) for _ in range(3)]
    for lane in lanes:
        lane.admit(encode([3], 1), [0])  # 8, 32 and 32 slots
    lanes[1].compact([], [], 0)
    with pytest.raises(DeviceFull):
        shelf.take(33, LENGTH)
    lanes[2].compact([], [], 0)
    assert shelf.take(33, LENGTH).slots == 64
    assert memory.left() < each * 32
