"""The memory of a lane: as wide as its longest source, and every row keeps what is its own."""

from types import SimpleNamespace
from typing import cast

import numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from service.bundle import Bundle, Tensor
from service.request import Encoded, Lane
from service.runner import _Slots

MEMORY = Tensor(name="keys", type="float32", shape=("B", "S", 2))
STATE = Tensor(name="hidden_0", type="float32", shape=("B", "W", 3))
BUNDLE = cast(Bundle, SimpleNamespace(manifest=SimpleNamespace(memory=(MEMORY,), state=(STATE,))))


def encode(lengths: list[int], first: int) -> Encoded:
    """Make a batch whose rows hold their own numbers, from `first` on, and noise behind their ends."""
    padded = -(-max(lengths) // 8) * 8
    keys = numpy.full((len(lengths), padded, 2), 1e9, numpy.float32)
    for row, length in enumerate(lengths):
        keys[row, :length] = first + row
    state = numpy.repeat(numpy.arange(first, first + len(lengths), dtype=numpy.float32)[:, None], 3, axis=1)
    return Encoded({"hidden_0": state}, {"keys": keys}, numpy.array(lengths, numpy.int64))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.randoms()), min_size=1, max_size=8))
def test_rows_keep_what_is_theirs(steps: list[tuple[list[int], object]]) -> None:
    """Whoever joins and leaves: a row has its memory, length and state, in slabs that are hardly wider than needed."""
    slots, alive, number = _Slots(BUNDLE, Lane(64, width=2)), list[tuple[int, int]](), 1
    for lengths, random in steps:
        slots.admit(encode(lengths, number), list(range(len(lengths))))
        alive += [(number + row, length) for row, length in enumerate(lengths)]
        number += len(lengths)
        leaving = {row for row in range(len(alive)) if random.random() < 0.6}  # type: ignore[attr-defined]
        size = len(alive) - len(leaving)
        into = sorted(row for row in leaving if row < size)
        taken = [row for row in range(size, len(alive)) if row not in leaving]
        for gap, row in zip(into, taken, strict=True):
            alive[gap] = alive[row]
        del alive[size:]
        slots.compact(into, taken, size)
        feed = slots.feed()
        assert feed["source_lengths"].tolist() == [length for _, length in alive]
        assert feed["keys"].flags.c_contiguous
        for row, (mine, length) in enumerate(alive):
            assert (feed["keys"][row, :length] == mine).all()
            assert (feed["hidden_0"][row] == mine).all()
        if alive:
            longest = -(-max(length for _, length in alive) // 8) * 8
            assert longest <= feed["keys"].shape[1] <= longest + 8
