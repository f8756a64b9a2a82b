"""The compute: ONNX Runtime sessions, and the memory of the slots that they work on."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy
import onnxruntime
from numpy.typing import NDArray

from service.bundle import Bundle, Manifest
from service.request import Arrays, Encoded, Lane
from service.search.candidates import Step
from service.session import Device, open_session

Ids = NDArray[numpy.int64]
ALIGNMENT = 8  # source lengths are padded to multiples: other lengths round sums differently (measured)
SPARE = 8  # positions that slabs may be too wide, as moving rows to others costs, too


class Runner(Protocol):
    """Compute for one model; rows of a lane are numbered from 0 without gaps."""

    def encode(self, sources: Sequence[NDArray[numpy.int64]]) -> Encoded:
        """Encode sources (S_i,) in one batch."""
        ...

    def admit(self, lane: Lane, encoded: Encoded, chosen: Sequence[int]) -> None:
        """Append the chosen rows of an encoder batch to a lane; all W hypotheses start from the same state."""
        ...

    def compact(self, lane: Lane, into: Sequence[int], taken: Sequence[int], rows: int) -> None:
        """Move the rows `taken` into the places `into` and keep the first `rows`."""
        ...

    def release(self, lane: Lane) -> None:
        """Give back the memory of an empty lane."""
        ...

    def step(self, lane: Lane, previous_ids: Ids, parents: Ids | None, alignment: bool) -> Step:
        """Advance all rows of a lane by one piece, given the last one of each hypothesis (B, W).

        Hypotheses continue those that `parents` (B, W) names; none: themselves.
        """
        ...


class _Slots:
    """Hold one lane: memory in slabs whose first rows are what a step reads, states as the last step left them.

    Slabs are as wide as the longest source in them, so that attention costs short ones little; a row's bits do not
    depend on the width.
    """

    def __init__(self, bundle: Bundle, lane: Lane) -> None:
        self.rows = 0
        self._capacity, self._width = 0, 0
        self._slabs: Arrays = {t.name: numpy.zeros((0, 0, *t.features), t.type) for t in bundle.manifest.memory}
        self._lengths = numpy.zeros(0, numpy.int64)
        self._parents = numpy.zeros((0, lane.width), numpy.int64)  # each hypothesis its own
        self.state: Arrays = {t.name: numpy.zeros((0, lane.width, *t.features), t.type) for t in bundle.manifest.state}

    def admit(self, encoded: Encoded, chosen: Sequence[int]) -> None:
        rows = slice(self.rows, self.rows + len(chosen))
        if rows.stop > self._capacity:
            self._grow(max(rows.stop, 2 * self._capacity))
        self._lengths[rows] = encoded.lengths[chosen]
        self._fit(rows.stop)
        for name, slab in self._slabs.items():
            memory = encoded.memory[name]
            # Both are padded to multiples of 8; what a slab keeps of an earlier row behind the new one is masked.
            width = min(memory.shape[1], self._width)
            slab[rows, :width] = memory[chosen, :width]
        for name, array in self.state.items():
            first = encoded.state[name][chosen][:, None]
            first = numpy.broadcast_to(first, (len(chosen), *array.shape[1:]))
            self.state[name] = numpy.concatenate([array, first])
        self.rows = rows.stop

    def _grow(self, capacity: int) -> None:
        self._lengths = numpy.concatenate([self._lengths, numpy.zeros(capacity - self._capacity, numpy.int64)])
        self._parents = numpy.tile(numpy.arange(self._parents.shape[1]), (capacity, 1))
        self._capacity = capacity
        self._allocate(self._width)

    def _fit(self, rows: int) -> None:
        """Make the slabs wide enough for the first rows, and narrower where they are much wider."""
        width = -(-int(self._lengths[:rows].max()) // ALIGNMENT) * ALIGNMENT
        if width > self._width or width + SPARE < self._width:
            self._allocate(width)

    def _allocate(self, width: int) -> None:
        kept = min(width, self._width)
        for name, slab in self._slabs.items():
            fresh = numpy.zeros((self._capacity, width, *slab.shape[2:]), slab.dtype)
            fresh[: self.rows, :kept] = slab[: self.rows, :kept]
            self._slabs[name] = fresh
        self._width = width

    def compact(self, into: Sequence[int], taken: Sequence[int], rows: int) -> None:
        if into:
            arrays: list[NDArray[Any]] = [*self._slabs.values(), self._lengths, *self.state.values()]
            for array in arrays:
                array[into] = array[taken]
        self.state = {name: array[:rows] for name, array in self.state.items()}
        self.rows = rows
        if rows:
            self._fit(rows)

    def feed(self) -> dict[str, NDArray[Any]]:
        memory = {name: slab[: self.rows] for name, slab in self._slabs.items()}
        rows = {"source_lengths": self._lengths[: self.rows], "parents": self._parents[: self.rows]}
        return {**memory, **self.state, **rows}


class OnnxRunner:
    """Run a bundle's graphs with ONNX Runtime; arrays live in the host's memory."""

    def __init__(self, bundle: Bundle, precision: str, device: Device, threads: int, shards: int = 1) -> None:
        """Load all graphs of a precision that the bundle has, to be run by a number of shards that share the threads.

        Raises:
            StartupError: a graph does not load, does not fit the manifest, or does not run on the device.
        """
        manifest = bundle.manifest
        self._bundle = bundle
        each = max(1, threads // shards)
        roles = [role for role in ("step", "step_full", "step_greedy") if manifest.has(role, precision)]
        graphs = {role: manifest.graph(role, precision) for role in ("encoder", *roles)}
        self._encoder = open_session(bundle, graphs["encoder"], device, each)
        self._steps = {role: open_session(bundle, graphs[role], device, each) for role in roles}
        # Few rows are in one shard, and read weights faster with the threads of all.
        wide = [role for role in roles if role != "step_full"] if shards > 1 else []
        self._wide_steps = self._steps | {role: open_session(bundle, graphs[role], device, threads) for role in wide}
        # A bundle without it offers more than greedy search needs.
        self._roles = {"step_greedy": "step_greedy" if "step_greedy" in roles else "step"}
        opened = open_session(bundle, manifest.graph("tables"), device, threads) if manifest.tables else None
        tables = make_tables(manifest, opened)
        self._tables = {
            role: {t.name: tables[t.name] for t in graph.inputs if t.name in tables} for role, graph in graphs.items()
        }
        self.provider = self._steps["step"].get_providers()[0]
        self._pad = manifest.special_ids.pad
        self._memory_names = [tensor.name for tensor in manifest.memory]
        self._state_names = [tensor.name for tensor in manifest.state]
        following = [f"next_{name}" for name in self._state_names]
        self._outputs = {
            "step": [*following, "candidate_log_probabilities", "candidate_ids"],
            "step_full": [*following, "log_probabilities"],
            "step_greedy": [*following, "logits"],
        }
        self._lanes: dict[Lane, _Slots] = {}

    def encode(self, sources: Sequence[NDArray[numpy.int64]]) -> Encoded:
        """Encode sources (S_i,) in one batch, padded to a multiple of 8."""
        lengths = numpy.array([len(source) for source in sources], numpy.int64)
        padded = numpy.full((len(sources), -(-int(lengths.max()) // ALIGNMENT) * ALIGNMENT), self._pad, numpy.int64)
        for row, source in zip(padded, sources, strict=True):
            row[: len(source)] = source
        names = self._memory_names + self._state_names
        feed = {"source_ids": padded, "source_lengths": lengths, **self._tables["encoder"]}
        outputs = self._encoder.run(names, feed)
        arrays = dict(zip(names, outputs, strict=True))
        return Encoded(
            {name: arrays[name] for name in self._state_names},
            {name: arrays[name] for name in self._memory_names},
            lengths,
        )

    def admit(self, lane: Lane, encoded: Encoded, chosen: Sequence[int]) -> None:
        """Append the chosen rows of an encoder batch to a lane."""
        if lane not in self._lanes:
            self._lanes[lane] = _Slots(self._bundle, lane)
        self._lanes[lane].admit(encoded, chosen)

    def compact(self, lane: Lane, into: Sequence[int], taken: Sequence[int], rows: int) -> None:
        """Close the gaps of a lane."""
        if lane in self._lanes:  # not where making it failed
            self._lanes[lane].compact(into, taken, rows)

    def release(self, lane: Lane) -> None:
        """Give back the memory of an empty lane."""
        self._lanes.pop(lane, None)

    def step(self, lane: Lane, previous_ids: Ids, parents: Ids | None, alignment: bool) -> Step:
        """Advance all rows of a lane with one ONNX Runtime call; the new states stay as they come."""
        slots, role = self._lanes[lane], self._roles.get(lane.graph, lane.graph)
        feed = slots.feed() | self._tables[role]
        feed["previous_ids"] = previous_ids
        if parents is not None:
            feed["parents"] = parents
        names = self._outputs[role]
        steps = self._wide_steps if self._is_alone(lane.shard) else self._steps
        outputs = steps[role].run([*names, "alignment"] if alignment else names, feed)
        found = dict(zip(names, outputs, strict=False))
        slots.state = {name: found[f"next_{name}"] for name in self._state_names}
        weights = outputs[-1] if alignment else None  # not asked for, they are never copied out
        if role == "step":
            return Step(found["candidate_log_probabilities"], found["candidate_ids"], weights)
        return Step(found["logits" if role == "step_greedy" else "log_probabilities"], None, weights)

    def _is_alone(self, shard: int) -> bool:
        """Tell whether no other shard has rows."""
        return not any(slots.rows for lane, slots in list(self._lanes.items()) if lane.shard != shard)


def make_tables(manifest: Manifest, session: onnxruntime.InferenceSession | None) -> Arrays:
    """Compute the tables of a bundle, (V, *) by name, with the session of its graph; a bundle may have none."""
    if session is None:
        return {}
    names = [tensor.name for tensor in manifest.tables]
    every = numpy.arange(manifest.vocabulary.size)
    return dict(zip(names, session.run(names, {"piece_ids": every}), strict=True))
