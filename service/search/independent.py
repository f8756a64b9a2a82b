"""Hypotheses that do not compete: samples, and the completions of alternatives."""

import numpy
from numpy.typing import NDArray

from service.request import Request
from service.search.candidates import Ids, Step
from service.search.draw import draw, keep_best, keep_probable, weigh
from service.search.hypothesis import NOTHING, Certain, FinishReason, Hypothesis
from service.search.search import Search, Symbols
from service.search.uniform import uniform


class Independent(Search):
    """Let each of W hypotheses go its own way until it ends."""

    def __init__(self, symbols: Symbols, width: int, longest: int, constrained: bool, scored: bool = True) -> None:
        super().__init__(symbols, width, longest, constrained, scored)
        self._finished = numpy.zeros((0, width), object)  # Hypothesis; none while one goes on
        self._going = numpy.zeros((0, width), numpy.bool_)
        self._samples = numpy.zeros(0, numpy.bool_)
        self._seed = numpy.zeros(0, numpy.uint64)
        self._temperature = numpy.ones(0, numpy.float64)
        self._top_k = numpy.zeros(0, numpy.int64)
        self._top_p = numpy.ones(0, numpy.float64)
        self._branch = numpy.zeros(0, numpy.int64)  # where alternatives part; -1: nowhere
        self._least = numpy.zeros(0, numpy.float64)  # log-probability of an alternative
        self._parted = numpy.zeros(0, numpy.bool_)  # which a hypothesis does not tell that a guard has cut

    def _begin(self, row: int, request: Request) -> None:
        super()._begin(row, request)
        self._finished[row], self._going[row], self._parted[row] = None, True, False
        self._seed[row], self._temperature[row], self._top_k[row], self._top_p[row] = 0, 1, 0, 1
        options, sampling = request.options, request.options.sampling
        self._samples[row] = sampling is not None
        if sampling:
            self._seed[row], self._temperature[row] = sampling.seed, sampling.temperature
            self._top_k[row], self._top_p[row] = sampling.top_k, sampling.top_p
        self._branch[row] = len(options.prefix) if options.alternatives else -1
        least = options.min_alternative_probability
        self._least[row] = numpy.log(least) if least > 0 else -numpy.inf

    def _select(self, step: Step) -> NDArray[numpy.intp]:
        n, said = self.rows, self._hypotheses
        assert self._constraints is not None
        assert step.log_probabilities is not None
        scores = self._constraints.adjust(step.log_probabilities, said, self._ends)
        chosen = self._choose(scores)
        places = chosen[:, :, None]
        self._previous[:n] = chosen
        log_probabilities = numpy.take_along_axis(step.log_probabilities, places, 2)[:, :, 0]
        totals = said.score[:n] + numpy.take_along_axis(scores, places, 2)[:, :, 0]
        said.append(chosen, totals, log_probabilities)
        self._finish(chosen)
        return numpy.flatnonzero(~self._going[:n].any(axis=1))

    def _choose(self, scores: NDArray[numpy.float32]) -> Ids:
        """Choose a piece for each hypothesis (B, W) by its scores (B, W, V)."""
        n, length = self.rows, self._hypotheses.length[: self.rows]
        chosen: Ids = scores.argmax(axis=-1)
        samples = numpy.flatnonzero(self._samples[:n])
        if len(samples):
            weights = weigh(scores[samples], self._temperature[samples])
            keep_best(weights, self._top_k[samples])
            keep_probable(weights, self._top_p[samples])
            steps = length[samples].astype(numpy.uint64)[:, None]
            places = numpy.arange(self.width, dtype=numpy.uint64)
            chosen[samples] = draw(weights, uniform(self._seed[samples][:, None], places, steps))
        for row in numpy.flatnonzero(self._branch[:n] == length).tolist():
            chosen[row], self._parted[row] = self._part(row, scores[row, 0]), True
        return chosen

    def _part(self, row: int, scores: NDArray[numpy.float32]) -> NDArray[numpy.int64]:
        """Return the W best pieces (W,) of a row's next (V,), and give up the hypotheses that have none."""
        order = numpy.argsort(-scores, kind="stable")[: self.width]
        pieces = numpy.resize(order, self.width)  # a vocabulary may hold fewer pieces than W
        found = numpy.arange(self.width) < len(order)
        improbable = ~found | numpy.isneginf(scores[pieces]) | (scores[pieces] < self._least[row])
        improbable[0] = False
        self._going[row, improbable] = False
        return pieces

    def _finish(self, chosen: Ids) -> None:
        n, said = self.rows, self._hypotheses
        ended = self._is_end(chosen)
        cuts = self._loops()
        stopped = ended | (said.length[:n] >= self._limit[:n])[:, None]
        if cuts is not None:
            stopped |= cuts > 0
        stopped &= self._going[:n]
        for row, place in zip(*(i.tolist() for i in numpy.nonzero(stopped)), strict=True):
            cut = 0 if cuts is None or ended[row, place] else int(cuts[row, place])
            reason = FinishReason.REPETITION_GUARD if cut else FinishReason.LENGTH
            if ended[row, place]:
                reason = self._reason(int(chosen[row, place]))
            self._finished[row, place] = said.finish(self._requests[row], place, reason, cut)
        self._going[:n] &= ~stopped

    def result(self, request: Request) -> list[Hypothesis]:
        """Return samples by rank, and alternatives by the probability of the piece where they part.

        Alternatives that ended before they could part are one.
        """
        found = [hypothesis for hypothesis in self._finished[request.row].tolist() if hypothesis is not None]
        if request.options.alternatives:
            return found if self._parted[request.row] else found[:1]
        return sorted(found, key=lambda hypothesis: -hypothesis.rank)

    def certain(self, request: Request) -> Certain:
        """Return all pieces of a single hypothesis; which of several will be best is not known before the end."""
        return NOTHING if self.width > 1 else self._told(request, 0, self.steps(request))
