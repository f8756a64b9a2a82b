"""Search in numpy: what a lane's rows have chosen so far, and what they choose next."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from service.request import FinishReason, Request


@dataclass(frozen=True)
class Candidates:
    """Hold the best next pieces of every hypothesis, best first."""

    ids: NDArray[numpy.int64]  # (B, W, C)
    log_probabilities: NDArray[numpy.float32]  # (B, W, C)


class Greedy:
    """Take the best piece at every step; one row per request, W = 1."""

    def __init__(self, bos: int, eos: int, max_length: int) -> None:
        self._bos, self._eos = bos, eos
        self.rows = 0
        self._previous = numpy.zeros((0, 1), numpy.int64)
        self._target = numpy.zeros((0, max_length), numpy.int32)
        self._length = numpy.zeros(0, numpy.int64)
        self._limit = numpy.zeros(0, numpy.int64)
        self._log_probability = numpy.zeros(0, numpy.float64)
        self._steps = numpy.zeros(0, numpy.int64)

    @property
    def previous_ids(self) -> NDArray[numpy.int64]:
        """Return the last choice of every row (B, 1); bos at the first step."""
        return self._previous[: self.rows]

    def join(self, requests: Sequence[Request]) -> None:
        """Append a row for each request."""
        start, self.rows = self.rows, self.rows + len(requests)
        if self.rows > len(self._length):
            self._grow(max(8, self.rows, 2 * len(self._length)))
        rows = slice(start, self.rows)
        self._previous[rows] = self._bos
        self._length[rows] = 0
        self._steps[rows] = 0
        self._log_probability[rows] = 0
        self._limit[rows] = [request.max_length for request in requests]

    def _grow(self, capacity: int) -> None:
        more = capacity - len(self._length)
        for name, array in vars(self).items():
            if isinstance(array, numpy.ndarray):
                setattr(self, name, numpy.concatenate([array, numpy.zeros((more, *array.shape[1:]), array.dtype)]))

    def compact(self, into: Sequence[int], taken: Sequence[int], rows: int) -> None:
        """Move the rows `taken` into the places `into` and keep the first `rows`."""
        if into:
            for array in vars(self).values():
                if isinstance(array, numpy.ndarray):
                    array[into] = array[taken]
        self.rows = rows

    def select(self, candidates: Candidates) -> NDArray[numpy.bool_]:
        """Choose for every row, and return which rows (B,) have ended."""
        n = self.rows
        chosen = candidates.ids[:, 0, 0]
        self._log_probability[:n] += candidates.log_probabilities[:, 0, 0]
        self._steps[:n] += 1
        self._previous[:n, 0] = chosen
        going = chosen != self._eos
        # An eos lands beyond the row's length, where nobody reads it; no row is ever at the last column here.
        self._target[numpy.arange(n), self._length[:n]] = chosen
        self._length[:n] += going
        ended: NDArray[numpy.bool_] = ~going | (self._length[:n] >= self._limit[:n])
        return ended

    def result(self, row: int, request: Request) -> None:
        """Write an ended row into its request."""
        length = int(self._length[row])
        request.target_ids = self._target[row, :length].tolist()
        request.log_probability = float(self._log_probability[row])
        request.steps = int(self._steps[row])
        request.finish_reason = FinishReason.EOS if self._previous[row, 0] == self._eos else FinishReason.LENGTH
