"""What the W hypotheses of every row have said so far."""

import numpy
from numpy.typing import NDArray

from service.request import Request
from service.search.candidates import Floats, Ids
from service.search.hypothesis import Certain, FinishReason, Hypothesis
from service.search.ranking import coverage, length_divisor
from service.search.rows import Rows

ENDED = (FinishReason.EOS, FinishReason.END_TOKEN)


class Hypotheses(Rows):
    """Hold the pieces and scores of B rows of W hypotheses; those of a row are equally long."""

    def __init__(self, width: int, longest: int, scored: bool = True) -> None:
        """Make room for `longest` pieces; where they are not `scored`, no score is a number."""
        super().__init__()
        self.scored = scored
        self.ids = numpy.zeros((0, width, longest), numpy.int64)
        self.length = numpy.zeros(0, numpy.int64)  # pieces scored, those that end a hypothesis included
        self.score = numpy.zeros((0, width), numpy.float64)  # what is ranked; -inf: not alive
        self.log_probability = numpy.zeros((0, width), numpy.float64)
        self._token_scores = numpy.zeros((0, width, longest), numpy.float32)
        # Attention weights (B, W, T, S), once a row wants them, stay where they were written. `_trail` tells in whose
        # place a hypothesis was at each step, so that following a parent moves no weights.
        self._weights: NDArray[numpy.float32] | None = None
        self._trail = numpy.zeros((0, width, longest), numpy.int16)

    def start(self, row: int, alive: int) -> None:
        """Begin a row, behind those that are there or in the place of one, of which `alive` hypotheses may go on."""
        self.reach(row)
        self.length[row] = 0
        self.log_probability[row] = self.score[row] = 0 if self.scored else numpy.nan
        self.score[row, alive:] = -numpy.inf
        if not self.scored:
            self._token_scores[row] = numpy.nan

    def follow(self, parents: Ids) -> None:
        """Let every hypothesis continue the one that `parents` (B, W) names."""
        n = self.rows
        # One more than was said: the trail of the coming piece is written already.
        rows, said = numpy.arange(n)[:, None], int(self.length[:n].max()) + 1
        for array in (self.ids, self._token_scores, self._trail):
            array[:n, :, :said] = array[rows, parents, :said]
        self.log_probability[:n] = self.log_probability[rows, parents]

    def append(self, ids: Ids, scores: NDArray[numpy.float64], log_probabilities: Floats) -> None:
        """Append a piece to every hypothesis (B, W); `scores` are the new sums of what is ranked."""
        n = self.rows
        rows, at = numpy.arange(n), self.length[:n]
        self.ids[rows, :, at] = ids
        self._token_scores[rows, :, at] = log_probabilities
        self.log_probability[:n] += log_probabilities
        self.score[:n] = scores
        self.length[:n] += 1

    def say(self, ids: Ids) -> None:
        """Append a piece that has no score to every hypothesis (B, W)."""
        n = self.rows
        self.ids[numpy.arange(n), :, self.length[:n]] = ids
        self.length[:n] += 1

    def trace(self, rows: NDArray[numpy.intp], weights: Floats) -> None:
        """Keep some rows' attention weights, of (B, W, S), for the pieces that are appended next."""
        width = weights.shape[-1]  # that of the longest source now, which may change
        if self._weights is None:
            self._weights = numpy.zeros((*self.ids.shape, width), numpy.float32)
        elif self._weights.shape[-1] < width:
            more = width - self._weights.shape[-1]
            self._weights = numpy.pad(self._weights, ((0, 0), (0, 0), (0, 0), (0, more)))
        at = self.length[rows]
        self._weights[rows, :, at, :width] = weights[rows]
        self._trail[rows, :, at] = numpy.arange(self.ids.shape[1])

    def forget_weights(self) -> None:
        """Give back the memory of attention weights."""
        self._weights = None

    def finish(self, request: Request, hypothesis: int, reason: FinishReason, cut: int = 0) -> Hypothesis:
        """Describe a hypothesis that ends here, without its last `cut` pieces."""
        place = request.row, hypothesis
        score, log_probability = self.score[place], self.log_probability[place]
        return self._describe(request, hypothesis, reason, int(self.length[request.row]), score, log_probability, cut)

    def finish_with(
        self, request: Request, parent: int, piece: int, score: float, log_probability: float, reason: FinishReason
    ) -> Hypothesis:
        """Describe `parent` ended by a piece that is not appended, as others of its row go on."""
        at = int(self.length[request.row])
        place = request.row, parent, at  # which the next append overwrites
        self.ids[place], self._token_scores[place] = piece, log_probability
        total = self.log_probability[request.row, parent] + log_probability
        return self._describe(request, parent, reason, at + 1, score, total)

    def begin(self, request: Request, hypothesis: int, pieces: int) -> Certain:
        """Describe the first `pieces` of a hypothesis that goes on."""
        place = request.row, hypothesis, slice(pieces)
        return Certain(tuple(self.ids[place].tolist()), tuple(self._token_scores[place].tolist()))

    def _describe(
        self,
        request: Request,
        hypothesis: int,
        reason: FinishReason,
        steps: int,
        score: float,
        log_probability: float,
        cut: int = 0,
    ) -> Hypothesis:
        row, options, kept = request.row, request.options, steps - cut
        said = kept - (reason in ENDED)
        token_scores = self._token_scores[row, hypothesis, :kept].copy()
        rank = float(score) / length_divisor(steps, options.length_penalty)
        weights = self._attention(request, hypothesis, steps) if options.keeps_attention else None
        if weights is not None and options.coverage_penalty:
            rank += options.coverage_penalty * coverage(weights)
        return Hypothesis(
            ids=tuple(self.ids[row, hypothesis, :said].tolist()),
            token_scores=token_scores,
            log_probability=float(token_scores.sum(dtype=numpy.float64) if cut else log_probability),
            rank=rank,
            finish_reason=reason,
            alignment=None if weights is None else weights[:said],
        )

    def _attention(self, request: Request, hypothesis: int, steps: int) -> Floats:
        assert self._weights is not None
        trail = self._trail[request.row, hypothesis, :steps]
        return self._weights[request.row, trail, numpy.arange(steps), : len(request.source_ids)]
