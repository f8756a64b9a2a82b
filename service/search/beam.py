"""Beam search: the W best hypotheses of every source, and those that have ended."""

import numpy
from numpy.typing import NDArray

from service.request import Request
from service.search.candidates import Choice, Step
from service.search.hypothesis import Certain, FinishReason, Hypothesis
from service.search.ranking import length_divisor
from service.search.search import GUARD, Search, Symbols


class Beam(Search):
    """Keep the W best of all continuations at every step.

    Of the W best, those that end are put aside, and others that do not end take their places. A source is done once
    patience * W hypotheses have ended (Kasai et al. 2022), or when none that goes on can still be among the best.
    """

    def __init__(self, symbols: Symbols, width: int, longest: int, constrained: bool, scored: bool = True) -> None:
        super().__init__(symbols, width, longest, constrained, scored)
        self._parents = numpy.zeros((0, width), numpy.int64)
        self._finished = numpy.zeros(0, object)  # lists of the best, best first
        self._count = numpy.zeros(0, numpy.int64)  # how many have ended
        self._enough = numpy.zeros(0, numpy.float64)  # how many are sought
        self._returned = numpy.zeros(0, numpy.int64)
        self._last_returned = numpy.zeros(0, numpy.float64)  # rank of the worst that would be returned
        self._divisor = numpy.zeros(0, numpy.float64)  # of a hypothesis that is as long as it may get

    @property
    def choice(self) -> Choice:
        """Return what the next step goes on from; a guard may end hypotheses of which no step knows."""
        ids, _, totals = super().choice
        return Choice(ids, self._parents[: self.rows], None if self._is_wanted(GUARD) else totals)

    @property
    def _alive_at_start(self) -> int:
        return 1

    def _begin(self, row: int, request: Request) -> None:
        super()._begin(row, request)
        options = request.options
        self._parents[row] = numpy.arange(self.width)
        self._count[row], self._last_returned[row] = 0, -numpy.inf
        self._finished[row] = []
        self._enough[row] = max(options.patience * options.beam_size, options.num_hypotheses)
        self._returned[row] = options.num_hypotheses
        self._divisor[row] = length_divisor(options.max_length, options.length_penalty)

    def _select(self, step: Step) -> NDArray[numpy.intp]:
        n, width, said = self.rows, self.width, self._hypotheses
        candidates = self._candidates(step, width + self._ends.shape[1])
        count = min(candidates.ids.shape[2], width + self._ends.shape[1])
        totals = (said.score[:n, :, None] + candidates.scores[:, :, :count]).reshape(n, -1)
        order = numpy.argsort(-totals, axis=1, kind="stable")
        flat = order + numpy.arange(n)[:, None] * (width * count)  # places in (B * W * count)
        totals = totals.reshape(-1)[flat]
        ids = candidates.ids[:, :, :count].reshape(-1)[flat]
        log_probabilities = candidates.log_probabilities[:, :, :count].reshape(-1)[flat]
        possible = totals > -numpy.inf
        ending = self._is_end(ids)
        for row, rank in zip(*(i.tolist() for i in numpy.nonzero((ending & possible)[:, :width])), strict=True):
            request, piece = self._requests[row], int(ids[row, rank])
            parent = int(order[row, rank]) // count
            score, log_probability = float(totals[row, rank]), float(log_probabilities[row, rank])
            reason = self._reason(piece)
            self._keep(row, said.finish_with(request, parent, piece, score, log_probability, reason))
        goes_on = numpy.argsort(ending | ~possible, axis=1, kind="stable")[:, :width]
        rows = numpy.arange(n)[:, None]
        alive = (possible & ~ending)[rows, goes_on]
        self._parents[:n] = order[rows, goes_on] // count
        self._previous[:n] = ids[rows, goes_on]
        said.follow(self._parents[:n])
        scores = numpy.where(alive, totals[rows, goes_on], -numpy.inf)
        said.append(self._previous[:n], scores, log_probabilities[rows, goes_on])
        return self._ended()

    def _keep(self, row: int, hypothesis: Hypothesis) -> None:
        """Put a finished hypothesis among the best that the row returns."""
        best: list[Hypothesis] = self._finished[row]
        best.append(hypothesis)
        best.sort(key=lambda finished: -finished.rank)
        del best[self._returned[row] :]
        self._count[row] += 1
        if len(best) == self._returned[row]:
            self._last_returned[row] = best[-1].rank

    def _ended(self) -> NDArray[numpy.intp]:
        """Put aside what loops or is as long as it may be; returns the rows that have nothing left to do."""
        n, said = self.rows, self._hypotheses
        cuts = self._loops()
        if cuts is not None:
            self._finish((cuts > 0) & (said.score[:n] > -numpy.inf), FinishReason.REPETITION_GUARD, cuts)
        full = said.length[:n] >= self._limit[:n]
        if full.any():
            self._finish(full[:, None] & (said.score[:n] > -numpy.inf), FinishReason.LENGTH)
        most = said.score[:n].max(axis=1)
        # Sums only fall, a longer hypothesis divides them by more, and coverage takes away: no more than this is left.
        reachable = most / self._divisor[:n]
        done: NDArray[numpy.bool_] = (most == -numpy.inf) | (self._count[:n] >= self._enough[:n])
        done |= (self._count[:n] >= self._returned[:n]) & (self._last_returned[:n] >= reachable)
        return numpy.flatnonzero(done)

    def _finish(
        self, which: NDArray[numpy.bool_], reason: FinishReason, cuts: NDArray[numpy.int64] | None = None
    ) -> None:
        for row, hypothesis in zip(*(i.tolist() for i in numpy.nonzero(which)), strict=True):
            cut = 0 if cuts is None else int(cuts[row, hypothesis])
            self._keep(row, self._hypotheses.finish(self._requests[row], hypothesis, reason, cut))
        self._hypotheses.score[: self.rows][which] = -numpy.inf

    def result(self, request: Request) -> list[Hypothesis]:
        """Return the best of those that have ended."""
        return list(self._finished[request.row])  # to which steps taken ahead may yet add

    def certain(self, request: Request) -> Certain:
        """Return the pieces that all hypotheses share which may still come out best."""
        row, said = request.row, self._hypotheses
        rivals = list(said.ids[row, said.score[row] > -numpy.inf, : said.length[row]])
        if self._finished[row]:
            rivals.append(numpy.array(self._finished[row][0].ids, numpy.int64))
        shortest = min(map(len, rivals))
        differs = numpy.zeros(shortest, numpy.bool_)
        for rival in rivals[1:]:
            differs |= rival[:shortest] != rivals[0][:shortest]
        same = int(differs.argmax()) if differs.any() else shortest
        return self._told(request, int(said.score[row].argmax()), same)
