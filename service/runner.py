"""The compute: ONNX Runtime sessions, which work on the memory of slots."""

import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Protocol

import numpy
import onnxruntime
from numpy.typing import NDArray

from service.bundle import Bundle
from service.errors import BundleError
from service.manifest import Manifest
from service.padding import pad_sources
from service.provider import Device
from service.request import Arrays, Encoded, Lane
from service.search.candidates import Choice, Step
from service.session import open_session
from service.slots import Slots

AHEAD, FULL = "step_ahead", "step_full"
ROW_STEPS = 8  # of all rows in one call: who comes meanwhile waits for them
TRIES = 25  # steps by which is measured how many threads they should have
# Hypotheses in one shard: few, as of a beam, for which weights are read and little is computed; all that it takes where
# another one steps as well.
FEW, MANY = 12, 24
# Times that a step of both shards' rows, by the threads of both, may take what one of a shard by its own takes, if they
# are to be stepped together.
TOGETHER = 1.3


class Runner(Protocol):
    """Compute for one model; rows of a lane are numbered from 0 without gaps."""

    encoder_rows: int  # most sources that it encodes at a time
    replaces: bool  # whether a row of one hypothesis may take the place of another
    together: bool  # whether many rows are better stepped by all threads at once than by each its part

    @property
    def ahead(self) -> int:
        """Return how many steps it takes at a time, at most, with the rows that there are."""
        ...

    def begin(self) -> None:
        """Get ready in a thread that is going to step."""
        ...

    def encode(self, sources: Sequence[NDArray[numpy.int64]]) -> Encoded:
        """Encode sources (S_i,) in one batch."""
        ...

    def admit(self, lane: Lane, encoded: Encoded, chosen: Sequence[int], rows: Sequence[int]) -> None:
        """Write the chosen rows of an encoder batch into `rows` of a lane; all hypotheses start from the same state.

        These ascend, and lie behind the rows that are there, or where it `replaces`, in the places of some.
        """
        ...

    def compact(self, lane: Lane, into: Sequence[int], taken: Sequence[int], rows: int) -> None:
        """Move the rows `taken` into the places `into` and keep the first `rows`."""
        ...

    def release(self, lane: Lane) -> None:
        """Give back the memory of a lane that is empty, or whose step failed: nothing of its rows may stay."""
        ...

    def step(self, lane: Lane, choice: Choice, alignment: bool, ahead: int = 1) -> Sequence[Step]:
        """Advance all rows of a lane by one piece, or by up to `ahead`, each chosen by the runner but the first."""
        ...


class OnnxRunner:
    """Run a bundle's graphs on the CPU; slots lie in the host's memory."""

    replaces = True
    encoder_rows = 8  # all are padded to the longest, so that small batches of similar length cost less

    def __init__(self, bundle: Bundle, precision: str, threads: int, shards: int = 1) -> None:
        """Load all graphs of a precision that the bundle has, to be run by a number of shards that share the threads.

        Raises:
            StartupError: a graph does not load, or does not fit the manifest.
        """
        manifest, device = bundle.manifest, Device("cpu")
        each = max(1, threads // shards)
        roles = [role for role in ("step", "step_full", "step_greedy") if manifest.has(role, precision)]
        ahead = [AHEAD] if manifest.has(AHEAD, precision) else []
        graphs = {role: manifest.graph(role, precision) for role in ("encoder", *roles, *ahead)}
        self._encoder = open_session(bundle, graphs["encoder"], device, each)
        self._steps = {role: open_session(bundle, graphs[role], device, each) for role in roles}
        # A bundle without it offers more than greedy search needs.
        self._roles = {"step_greedy": "step_greedy" if "step_greedy" in roles else "step"}
        opened = open_session(bundle, manifest.graph("tables"), device, threads) if manifest.tables else None
        try:
            tables = make_tables(manifest, opened)
        except Exception as error:  # ONNX Runtime raises classes of its own, without a common base
            raise BundleError(bundle.file(manifest.graph("tables").file), f"makes no tables: {error}") from error
        self._tables = {
            role: {t.name: tables[t.name].astype(t.type, copy=False) for t in graph.inputs if t.name in tables}
            for role, graph in graphs.items()
        }
        self._following = {role for role, graph in graphs.items() if "parents" in {t.name for t in graph.inputs}}
        self._pad = manifest.special_ids.pad
        self._memory_names = [tensor.name for tensor in manifest.memory]
        self._state_names = [tensor.name for tensor in manifest.state]
        read = {tensor.name: tensor for tensor in graphs["step"].inputs}  # in the types of this precision
        self._memory, self._state = [[read[n] for n in names] for names in (self._memory_names, self._state_names)]
        following = [f"next_{name}" for name in self._state_names]
        self._outputs = {
            "step": [*following, "candidate_log_probabilities", "candidate_ids"],
            "step_full": [*following, "log_probabilities"],
            "step_greedy": [*following, "logits"],
            AHEAD: ["ahead_ids", "ahead_logits", *following],
        }
        self._lanes: dict[Lane, Slots] = {}
        # The rows of the only shard that has any may be stepped by the threads of all.
        self._few_steps = self._many_steps = self._steps
        self.together = False
        if shards > 1:
            wide = {role: open_session(bundle, graphs[role], device, threads) for role in roles if role != FULL}
            if self._times(wide, 1, 1) < 1:
                self._few_steps = self._steps | wide
            if shards == 2 and self._times(wide, 2 * MANY, MANY) < TOGETHER:
                wide[FULL] = open_session(bundle, graphs[FULL], device, threads)
                self._many_steps, self.together = wide, True
        self._ahead: onnxruntime.InferenceSession | None = None
        if ahead:
            few = each if self._few_steps is self._steps else threads
            self._ahead = open_session(bundle, graphs[AHEAD], device, few)

    def _times(self, wide: Mapping[str, onnxruntime.InferenceSession], rows: int, narrow_rows: int) -> float:
        """Measure how many times the step of `narrow_rows` by a shard's threads that of `rows` by all threads takes.

        All must be woken for every product, and have a part of it then; results are the same bits either way.
        """
        role = self._roles["step_greedy"]
        taken: list[tuple[onnxruntime.InferenceSession, Arrays, list[float]]] = []
        for session, count in ((wide[role], rows), (self._steps[role], narrow_rows)):
            slots = Slots(self._memory, self._state, 1)
            slots.admit(self.encode([numpy.array([self._pad])] * count), range(count), range(count))
            (feed,) = slots.feeds(numpy.full((count, 1), self._pad), None, role in self._following)
            taken.append((session, feed | self._tables[role], []))
        for _ in range(TRIES):  # in turns, as other work comes and goes
            for session, feed, seconds in taken:
                started = time.perf_counter()
                session.run(self._outputs[role], feed)
                seconds.append(time.perf_counter() - started)
        wide_seconds, narrow_seconds = (median(seconds) for *_, seconds in taken)
        return wide_seconds / narrow_seconds

    @property
    def ahead(self) -> int:
        """Return how many steps may be taken in one call: few, or none but the first, where there are more rows."""
        return 1 if self._ahead is None else max(1, ROW_STEPS // max(1, self._rows))

    def begin(self) -> None:
        """Do nothing: any thread may run the sessions."""

    def encode(self, sources: Sequence[NDArray[numpy.int64]]) -> Encoded:
        """Encode sources (S_i,) in one batch, padded to the longest; no sum goes over positions."""
        padded, lengths = pad_sources(sources, self._pad)
        names = self._memory_names + self._state_names
        feed = {"source_ids": padded, "source_lengths": lengths, **self._tables["encoder"]}
        outputs = self._encoder.run(names, feed)
        arrays = dict(zip(names, outputs, strict=True))
        return Encoded(
            {name: arrays[name] for name in self._state_names},
            {name: arrays[name] for name in self._memory_names},
            lengths,
        )

    def admit(self, lane: Lane, encoded: Encoded, chosen: Sequence[int], rows: Sequence[int]) -> None:
        """Write the chosen rows of an encoder batch into `rows` of a lane."""
        if lane not in self._lanes:
            self._lanes[lane] = Slots(self._memory, self._state, lane.width)
        self._lanes[lane].admit(encoded, chosen, rows)

    def compact(self, lane: Lane, into: Sequence[int], taken: Sequence[int], rows: int) -> None:
        """Close the gaps of a lane."""
        if lane in self._lanes:  # not where making it failed
            self._lanes[lane].compact(into, taken, rows)

    def release(self, lane: Lane) -> None:
        """Give back the memory of a lane."""
        self._lanes.pop(lane, None)

    def step(self, lane: Lane, choice: Choice, alignment: bool, ahead: int = 1) -> Sequence[Step]:
        """Advance all rows of a lane by one piece; the new states stay as they come.

        That takes one ONNX Runtime call, and one more where rows of several hypotheses begin. Only few rows are
        advanced by several pieces: for them what lies between two steps takes as long as a step.
        """
        slots, role = self._lanes[lane], self._roles.get(lane.graph, lane.graph)
        if ahead > 1 and role == "step_greedy" and not alignment:
            steps = min(ahead, self.ahead)
            if steps > 1:
                return self._go_ahead(slots, choice, steps)
        names = [*self._outputs[role], "alignment"] if alignment else self._outputs[role]
        session = self._sessions(lane.shard)[role]
        feeds = slots.feeds(choice.ids, choice.parents, role in self._following)
        found = slots.whole(
            [dict(zip(names, session.run(names, feed | self._tables[role]), strict=True)) for feed in feeds]
        )
        slots.follow({name: found[f"next_{name}"] for name in self._state_names})
        weights = found.get("alignment")  # not asked for, they are never copied out
        if role == "step":
            return [Step(found["candidate_log_probabilities"], found["candidate_ids"], weights)]
        return [Step(found["logits" if role == "step_greedy" else "log_probabilities"], None, weights)]

    def _go_ahead(self, slots: Slots, choice: Choice, steps: int) -> Sequence[Step]:
        """Advance a lane of greedy search by several pieces, or fewer if all have ended by then.

        Raises:
            ArithmeticError: the model gave no numbers.
        """
        assert self._ahead is not None
        (feed,) = slots.feeds(choice.ids, choice.parents, AHEAD in self._following)
        feed |= {"steps": numpy.array(steps), **self._tables[AHEAD]}
        ids, logits, *states = self._ahead.run(self._outputs[AHEAD], feed)
        if numpy.isnan(logits).any():
            raise ArithmeticError("the decoder graph gave NaN")
        slots.follow(dict(zip(self._state_names, states, strict=True)))
        return [Step(None, said[:, :, None]) for said in ids]

    @property
    def _rows(self) -> int:
        """Count the rows of all lanes, which wait for one another."""
        return sum(slots.rows for slots in list(self._lanes.values()))

    def _sessions(self, shard: int) -> Mapping[str, onnxruntime.InferenceSession]:
        """Return those with the threads that step the hypotheses of a shard best: its own, if another has rows."""
        lanes = list(self._lanes.items())
        if any(slots.rows for lane, slots in lanes if lane.shard != shard):
            return self._steps
        hypotheses = sum(slots.rows * lane.width for lane, slots in lanes)  # whose lanes wait for one another
        if hypotheses <= FEW:
            return self._few_steps
        return self._many_steps if hypotheses >= MANY else self._steps


def make_tables(manifest: Manifest, session: onnxruntime.InferenceSession | None) -> Arrays:
    """Compute the tables of a bundle, (V, *) by name, with the session of its graph; a bundle may have none."""
    if session is None:
        return {}
    names = [tensor.name for tensor in manifest.tables]
    every = numpy.arange(manifest.vocabulary.size)
    return dict(zip(names, session.run(names, {"piece_ids": every}), strict=True))
