"""A runner whose model is a hash: every hypothesis has its own distribution, at no cost and without a batch."""

from collections.abc import Sequence

import numpy
from numpy.typing import NDArray

from service.request import Encoded, Lane
from service.search.candidates import Choice, Step
from service.search.uniform import uniform

VOCABULARY = 24
CANDIDATES = 16
SHARPNESS = 4.0  # of the distributions


class HashingRunner:
    """Say what a hash of the source and of all pieces so far says; wrong parents or rows change everything after."""

    ahead, encoder_rows, replaces, together = 1, 8, True, False

    def __init__(self) -> None:
        self.lanes: set[Lane] = set()
        self._state: dict[Lane, NDArray[numpy.uint64]] = {}  # (B, W)

    def encode(self, sources: Sequence[NDArray[numpy.int64]]) -> Encoded:
        """Hash the sources."""
        states = [numpy.uint64(hash(tuple(source.tolist())) & (2**64 - 1)) for source in sources]
        return Encoded({"state": numpy.array(states)}, {}, numpy.array([len(source) for source in sources]))

    def admit(self, lane: Lane, encoded: Encoded, chosen: Sequence[int], rows: Sequence[int]) -> None:
        """Write rows, behind others or in their places."""
        first = numpy.repeat(encoded.state["state"][list(chosen), None], lane.width, axis=1)
        held = self._state.get(lane, first[:0])
        self.lanes.add(lane)
        self._state[lane] = numpy.concatenate([held, first[: max(0, rows[-1] + 1 - len(held))]])
        self._state[lane][list(rows)] = first

    def compact(self, lane: Lane, into: Sequence[int], taken: Sequence[int], rows: int) -> None:
        """Move rows."""
        self._state[lane][list(into)] = self._state[lane][list(taken)]
        self._state[lane] = self._state[lane][:rows]

    def release(self, lane: Lane) -> None:
        """Forget a lane."""
        self.lanes.discard(lane)
        self._state.pop(lane, None)

    def begin(self) -> None:
        """Do nothing."""

    def step(self, lane: Lane, choice: Choice, alignment: bool, ahead: int = 1) -> list[Step]:
        """Advance all rows."""
        state = self._state[lane]
        if choice.parents is not None:
            state = numpy.take_along_axis(state, choice.parents, 1)
        zero = numpy.zeros(1, numpy.uint64)
        drawn = uniform(state, choice.ids.astype(numpy.uint64), zero)
        self._state[lane] = state = (drawn * 2.0**53).astype(numpy.uint64)
        pieces = numpy.arange(VOCABULARY, dtype=numpy.uint64)
        logits = SHARPNESS * uniform(state[:, :, None], pieces, zero)
        log_probabilities = (logits - numpy.log(numpy.exp(logits).sum(-1, keepdims=True))).astype(numpy.float32)
        places = numpy.arange(lane.source_length, dtype=numpy.uint64)
        weights = uniform(state[:, :, None], places, zero + numpy.uint64(1)).astype(numpy.float32)
        weights = weights / weights.sum(-1, keepdims=True) if alignment else None
        if lane.graph == "step_greedy":
            return [Step(logits.astype(numpy.float32), None, weights)]
        if lane.graph == "step_full":
            return [Step(log_probabilities, None, weights)]
        ids = numpy.argsort(-log_probabilities, axis=-1, kind="stable")[:, :, :CANDIDATES]
        return [Step(numpy.take_along_axis(log_probabilities, ids, -1), ids, weights)]
