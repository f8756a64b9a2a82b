"""Greedy search: the best piece at every step."""

import numpy
from numpy.typing import NDArray

from service.request import Request
from service.search.candidates import Ids, Step
from service.search.hypothesis import Certain, FinishReason, Hypothesis
from service.search.search import Search


class Greedy(Search):
    """Keep one hypothesis a row."""

    _cuts: list[int] | None = None  # pieces of each row that loop, at the last step

    def _select(self, step: Step) -> NDArray[numpy.intp]:
        said = self._hypotheses
        if said.scored:
            candidates = self._candidates(step, 1)
            chosen = candidates.ids[:, :, 0]
            scores = said.score[: self.rows] + candidates.scores[:, :, 0]
            said.append(chosen, scores, candidates.log_probabilities[:, :, 0])
        else:
            chosen = _best(step)
            said.say(chosen)
        self._previous[: self.rows] = chosen
        ended = self._is_end(chosen)[:, 0] | (said.length[: self.rows] >= self._limit[: self.rows])
        cuts = self._loops()
        self._cuts = None if cuts is None else cuts[:, 0].tolist()
        if cuts is not None:
            ended |= cuts[:, 0] > 0
        return ended.nonzero()[0]

    def result(self, request: Request) -> list[Hypothesis]:
        """Return the one hypothesis."""
        row, piece = request.row, int(self._previous[request.row, 0])
        if piece == self._symbols.eos or piece in request.options.end_ids:
            return [self._hypotheses.finish(request, 0, self._reason(piece))]
        cut = self._cuts[row] if self._cuts else 0
        reason = FinishReason.REPETITION_GUARD if cut else FinishReason.LENGTH
        return [self._hypotheses.finish(request, 0, reason, cut)]

    def certain(self, request: Request) -> Certain:
        """Return all pieces so far, but those that a repetition guard may cut."""
        return self._told(request, 0, self.steps(request))


def _best(step: Step) -> Ids:
    """Return the best pieces (B, W), by the logits of all or as the step says."""
    if step.ids is not None:
        return step.ids[:, :, 0]
    assert step.log_probabilities is not None
    best: Ids = step.log_probabilities.argmax(axis=-1)
    return best
