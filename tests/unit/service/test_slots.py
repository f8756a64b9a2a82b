"""The memory of a lane: as wide as its longest source, and every row keeps what is its own."""

from contextlib import suppress
from random import Random
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.parts import Tensor
from service.request import Encoded
from service.slots import Slots

MEMORY = Tensor(name="keys", type="float32", shape=("B", "S", 2))
CONTEXT = Tensor(name="context", type="float32", shape=("B", 3))  # without positions
STATE = Tensor(name="hidden_0", type="float32", shape=("B", "W", 3))


def encode(lengths: list[int], first: int) -> Encoded:
    """Make a batch whose rows hold their own numbers, from `first` on, and noise behind their ends."""
    padded = -(-max(lengths) // 8) * 8
    keys = numpy.full((len(lengths), padded, 2), 1e9, numpy.float32)
    for row, length in enumerate(lengths):
        keys[row, :length] = first + row
    state = numpy.repeat(numpy.arange(first, first + len(lengths), dtype=numpy.float32)[:, None], 3, axis=1)
    return Encoded({"hidden_0": state}, {"keys": keys, "context": state.copy()}, numpy.array(lengths, numpy.int64))


@settings(max_examples=200)
@given(
    st.sampled_from([1, 2]),
    st.lists(st.tuples(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.randoms()), min_size=1, max_size=8),
)
def test_rows_keep_what_is_theirs(width: int, steps: list[tuple[list[int], Random]]) -> None:
    """Whoever joins and leaves: a row has its memory, length and state, in slabs that are hardly wider than needed.

    Of one hypothesis, whoever joins takes the places of those who have left.
    """
    slots, alive, number = Slots([MEMORY, CONTEXT], [STATE], width), list[tuple[int, int]](), 1
    leaving: list[int] = []
    for lengths, random in steps:
        free = leaving[: len(lengths)] if width == 1 else []
        _compact(slots, alive, [row for row in leaving if row not in free])
        rows = free + list(range(len(alive), len(alive) + len(lengths) - len(free)))
        slots.admit(encode(lengths, number), list(range(len(lengths))), rows)
        alive += [(0, 0)] * (len(lengths) - len(free))
        for row, length in zip(rows, lengths, strict=True):
            alive[row] = number, length
            number += 1
        _check(slots, alive, width)
        leaving = [row for row in range(len(alive)) if random.random() < 0.6]
    _compact(slots, alive, leaving)
    if alive:
        _check(slots, alive, width)


def _compact(slots: Slots, alive: list[tuple[int, int]], leaving: list[int]) -> None:
    """Close gaps as the scheduler does."""
    size = len(alive) - len(leaving)
    into = [row for row in leaving if row < size]
    taken = [row for row in range(size, len(alive)) if row not in leaving]
    for gap, row in zip(into, taken, strict=True):
        alive[gap] = alive[row]
    del alive[size:]
    if leaving:
        slots.compact(into, taken, size)


def _check(slots: Slots, alive: list[tuple[int, int]], width: int) -> None:
    feeds = slots.feeds(numpy.zeros((len(alive), width), numpy.int64), None)
    longest = -(-max(length for _, length in alive) // 8) * 8
    row = 0
    for feed in feeds:
        assert feed["keys"].flags.c_contiguous
        assert longest <= feed["keys"].shape[1] <= longest + 8
        for keys, context, state, count in zip(
            feed["keys"], feed["context"], feed["hidden_0"], feed["source_lengths"], strict=True
        ):
            mine, length = alive[row]
            assert count == length
            assert (keys[:length] == mine).all()
            assert (context == mine).all()
            assert (state == mine).all()
            row += 1
    assert row == len(alive)


def step(slots: Slots, rows: int, width: int) -> list[int]:
    """Step a lane with a decoder that adds a half to every state; returns the width of each call."""
    ids = numpy.arange(rows * width, dtype=numpy.int64).reshape(rows, width)
    feeds = slots.feeds(ids, None)
    for feed in feeds:
        computed = feed["hidden_0"].shape[1]
        assert feed["previous_ids"].shape == feed["parents"].shape == (len(feed["keys"]), computed)
        assert (feed["parents"] == numpy.arange(computed)).all()
        assert feed["previous_ids"].flags.c_contiguous
    assert numpy.concatenate([feed["previous_ids"][:, 0] for feed in feeds]).tolist() == ids[:, 0].tolist()
    found = slots.whole([{"next": feed["hidden_0"] + 0.5} for feed in feeds])
    slots.follow({"hidden_0": found["next"]})
    assert found["next"].shape == (rows, width, 3)
    return [feed["hidden_0"].shape[1] for feed in feeds]


def test_first_step_computes_one_hypothesis_of_each_row() -> None:
    """The others are the same; rows that have begun are computed in full beside them."""
    slots = Slots([MEMORY], [STATE], 2)
    slots.admit(encode([3, 9], 1), [0, 1], [0, 1])
    slots.admit(encode([4], 3), [0], [2])
    assert step(slots, 3, 2) == [1]
    assert step(slots, 3, 2) == [2]
    slots.admit(encode([5], 4), [0], [3])
    assert step(slots, 4, 2) == [2, 1]
    slots.compact([1], [3], 3)
    (feed,) = slots.feeds(numpy.zeros((3, 2), numpy.int64), None)
    assert feed["hidden_0"][:, :, 0].tolist() == [[2.5, 2.5], [4.5, 4.5], [4.5, 4.5]]
    assert feed["source_lengths"].tolist() == [3, 5, 4]


def test_rows_of_one_hypothesis_are_computed_together() -> None:
    """There is nothing to gain by a call of their own."""
    slots = Slots([MEMORY], [STATE], 1)
    slots.admit(encode([3], 1), [0], [0])
    assert step(slots, 1, 1) == [1]
    slots.admit(encode([4], 2), [0], [1])
    assert step(slots, 2, 1) == [1]


@pytest.mark.parametrize("fails_at", range(8))
def test_rows_that_there_is_no_memory_for_break_nothing(monkeypatch: pytest.MonkeyPatch, fails_at: int) -> None:
    """Whatever could not be made: who is there stays as it was, and who comes later has room again."""
    slots, alive = Slots([MEMORY, CONTEXT], [STATE], 1), [(1, 3)]
    slots.admit(encode([3], 1), [0], [0])
    make, left = numpy.zeros, iter(range(fails_at + 1))

    def zeros(*shape: Any, **how: Any) -> NDArray[Any]:
        if next(left, None) == fails_at:
            raise MemoryError("none is left")
        made: NDArray[Any] = make(*shape, **how)
        return made

    batch = encode([30, 4], 2)
    with monkeypatch.context() as patched, suppress(MemoryError):
        patched.setattr(numpy, "zeros", zeros)
        slots.admit(batch, [0, 1], [1, 2])
        alive += [(2, 30), (3, 4)]
    _check(slots, alive, 1)
    for number in range(4, 12):
        slots.admit(encode([4], number), [0], [len(alive)])
        alive.append((number, 4))
        _check(slots, alive, 1)
