"""What all ways of searching share: a lane's requests, their hypotheses, and what narrows the next step."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from service.request import Request
from service.search.candidates import Candidates, Choice, Ids, Step, best
from service.search.constraints import Constraints
from service.search.guard import looped, suspicious
from service.search.hypotheses import Hypotheses
from service.search.hypothesis import Certain, FinishReason, Hypothesis
from service.search.rows import Rows

# What a row wants beside its pieces, bit by bit.
GUARD, TRACE, STREAM = 1, 2, 4


@dataclass(frozen=True)
class Symbols:
    """Name the pieces that mean something to a search."""

    unk: int
    bos: int
    eos: int


class Search(Rows, ABC):
    """Choose what the rows of one lane say next; a subclass is one way to do so."""

    def __init__(self, symbols: Symbols, width: int, longest: int, constrained: bool, scored: bool = True) -> None:
        """Search with `width` hypotheses of up to `longest` pieces, by whole distributions where `constrained`.

        Where it is not `scored`, nobody wants to know scores, and steps give none.
        """
        super().__init__()
        self.width = width
        self._symbols = symbols
        self._hypotheses = Hypotheses(width, longest, scored)
        self._constraints = Constraints(symbols.unk, symbols.eos) if constrained else None
        self._requests = numpy.zeros(0, object)
        self._previous = numpy.zeros((0, width), numpy.int64)
        self._limit = numpy.zeros(0, numpy.int64)
        self._ends = numpy.zeros((0, 1), numpy.int64)  # (B, E), eos and whatever else ends a hypothesis
        self._wishes = numpy.zeros(0, numpy.uint8)
        self._wanted: int | None = 0  # by any row; none: to be looked up

    @property
    def choice(self) -> Choice:
        """Return what the next step goes on from."""
        return Choice(self._previous[: self.rows], None, self._hypotheses.score[: self.rows])

    def ahead(self, most: int) -> int:
        """Return how many steps may be taken, at most as many, before the first has been looked at.

        So nobody passes its limit, and whoever listens hears of every piece as it comes.
        """
        n = self.rows
        if self._is_wanted(STREAM):
            return 1
        return int(min(most, (self._limit[:n] - self._hypotheses.length[:n]).min()))

    @property
    def wants_alignment(self) -> bool:
        """Tell whether the next step should give the attention weights."""
        return self._is_wanted(TRACE)

    @property
    def requests(self) -> list[Request]:
        """List the requests of all rows."""
        requests: list[Request] = self._requests[: self.rows].tolist()
        return requests

    @property
    def streaming(self) -> list[Request]:
        """List the requests that want to hear of every certain piece."""
        if not self._is_wanted(STREAM):
            return []
        requests: list[Request] = self._requests[: self.rows][self._who_wants(STREAM)].tolist()
        return requests

    def _is_wanted(self, wish: int) -> bool:
        """Tell whether any row wants something."""
        if self._wanted is None:
            self._wanted = int(numpy.bitwise_or.reduce(self._wishes[: self.rows]))
        return bool(self._wanted & wish)

    def _who_wants(self, wish: int) -> NDArray[numpy.bool_]:
        """Tell which rows (B,) want something."""
        return (self._wishes[: self.rows] & wish).astype(numpy.bool_)

    def join(self, requests: Sequence[Request]) -> None:
        """Give each request its row, which is behind those that are there, or of somebody who has left."""
        for request in requests:  # a few: numbers are written one by one sooner than as lists
            self._begin(request.row, request)

    def _begin(self, row: int, request: Request) -> None:
        options = request.options
        self.reach(row)
        self._hypotheses.start(row, self._alive_at_start)
        self._requests[row] = request
        self._previous[row] = self._symbols.bos
        self._limit[row] = options.max_length
        wishes = GUARD * options.repetition_guard + TRACE * options.keeps_attention + STREAM * request.streams
        self._wishes[row], self._wanted = wishes, None
        self._ends[row] = self._symbols.eos
        if options.end_ids:
            more = 1 + len(options.end_ids) - self._ends.shape[1]
            if more > 0:
                self._ends = numpy.pad(self._ends, ((0, 0), (0, more)), "edge")
            self._ends[row, 1 : 1 + len(options.end_ids)] = options.end_ids
        if self._constraints:
            self._constraints.begin(row, options)

    def blank(self, rows: Sequence[int]) -> None:
        """Let rows say nothing to anybody: whose they were has left, and who was to take them could not join."""
        self._wishes[rows] &= GUARD | TRACE  # what they end with is described all the same
        self._wanted = None
        self._hypotheses.length[rows] = 0  # the next step, after which they are cleared away, has room for its piece

    @property
    def _alive_at_start(self) -> int:
        return self.width

    def compact(self, into: Sequence[int], taken: Sequence[int], rows: int) -> None:
        """Move the rows `taken` into the places `into` and keep the first `rows`."""
        super().compact(into, taken, rows)
        self._wanted = None
        self._hypotheses.compact(into, taken, rows)
        if self._constraints:
            self._constraints.compact(into, taken, rows)

    def rest(self) -> None:
        """Give back what only some rows need, as there are none now."""
        self._hypotheses.forget_weights()
        self._ends = self._ends[:, :1]
        if self._constraints:
            self._constraints.forget_prefixes()

    def select(self, step: Step) -> NDArray[numpy.intp]:
        """Choose for every hypothesis; returns the rows that have ended.

        Raises:
            ArithmeticError: the model gave no numbers.
        """
        if step.log_probabilities is not None and numpy.isnan(step.log_probabilities[..., 0]).any():
            raise ArithmeticError("the decoder graph gave NaN")
        if step.alignment is not None:
            self._hypotheses.trace(numpy.flatnonzero(self._who_wants(TRACE)), step.alignment)
        return self._select(step)

    @abstractmethod
    def _select(self, step: Step) -> NDArray[numpy.intp]: ...

    @abstractmethod
    def result(self, request: Request) -> list[Hypothesis]:
        """Return the hypotheses of a row that has ended, best first."""

    def steps(self, request: Request) -> int:
        """Return how many steps a row has taken part in."""
        return int(self._hypotheses.length[request.row])

    @abstractmethod
    def certain(self, request: Request) -> Certain:
        """Return the pieces with which the best hypothesis of a row is sure to begin."""

    def _candidates(self, step: Step, count: int) -> Candidates:
        """Narrow a step to at least `count` candidates."""
        ids, log_probabilities = step.ids, step.log_probabilities
        if self._constraints:
            assert log_probabilities is not None
            scores = self._constraints.adjust(log_probabilities, self._hypotheses, self._ends)
            return best(scores, log_probabilities, count)
        assert ids is not None
        assert log_probabilities is not None
        return Candidates(ids, log_probabilities, log_probabilities)

    def _is_end(self, ids: Ids) -> NDArray[numpy.bool_]:
        """Tell which pieces (B, K) end a hypothesis of their row."""
        ends = self._ends[: self.rows]
        ended: NDArray[numpy.bool_] = ids == ends[:, :1]
        for other in range(1, ends.shape[1]):
            ended |= ids == ends[:, other : other + 1]
        return ended

    def _reason(self, piece: int) -> FinishReason:
        return FinishReason.EOS if piece == self._symbols.eos else FinishReason.END_TOKEN

    def _loops(self) -> NDArray[numpy.int64] | None:
        """Return how many pieces to cut of every hypothesis (B, W), where a row is guarded."""
        if not self._is_wanted(GUARD):
            return None
        said = self._hypotheses
        return numpy.where(self._who_wants(GUARD)[:, None], looped(said.ids[: self.rows], said.length[: self.rows]), 0)

    def _told(self, request: Request, hypothesis: int, pieces: int) -> Certain:
        """Describe the first `pieces` of a hypothesis, without those that a repetition guard may yet cut off."""
        if request.options.repetition_guard:
            pieces -= suspicious(self._hypotheses.ids[request.row, hypothesis, :pieces])
        return self._hypotheses.begin(request, hypothesis, pieces)
