"""What the options of requests forbid, force or make less likely, at every step."""

import numpy
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from service.options import SearchOptions
from service.search.candidates import Floats, Ids
from service.search.hypotheses import Hypotheses
from service.search.rows import Rows
from service.search.suppression import Suppression

Numbers = NDArray[numpy.intp]


class Constraints(Rows):
    """Adjust the log-probabilities of all pieces by the options of each row."""

    def __init__(self, unk: int, eos: int) -> None:
        super().__init__()
        self._unk, self._eos = unk, eos
        self._penalty = numpy.ones(0, numpy.float32)
        self._ngram = numpy.zeros(0, numpy.int64)
        self._no_unknown = numpy.zeros(0, numpy.bool_)
        self._least = numpy.zeros(0, numpy.int64)
        self._suppression = numpy.zeros(0, object)  # none where nothing is suppressed
        self._prefix = numpy.zeros((0, 0), numpy.int64)
        self._prefix_length = numpy.zeros(0, numpy.int64)
        self._bias = numpy.zeros(0, numpy.float64)

    def begin(self, row: int, options: SearchOptions) -> None:
        """Begin a row, behind those that are there or in the place of one."""
        self.reach(row)
        self._penalty[row] = options.repetition_penalty
        self._ngram[row] = options.no_repeat_ngram_size
        self._no_unknown[row] = options.disable_unknown
        self._least[row] = options.min_length
        self._suppression[row] = Suppression(options.suppressed) if options.suppressed else None
        self._prefix_length[row] = len(options.prefix)
        self._bias[row] = options.prefix_bias
        more = len(options.prefix) - self._prefix.shape[1]
        if more > 0:
            self._prefix = numpy.pad(self._prefix, ((0, 0), (0, more)))
        self._prefix[row, : len(options.prefix)] = options.prefix

    def forget_prefixes(self) -> None:
        """Give back the memory of prefixes, as there are no rows."""
        self._prefix = self._prefix[:, :0]

    def adjust(self, log_probabilities: Floats, said: Hypotheses, ends: Ids) -> Floats:
        """Return the scores (B, W, V) of all pieces; -inf: forbidden.

        `ends` (B, E) are the pieces that end a hypothesis. Where everything is forbidden, eos is left.
        """
        n = self.rows
        scores, length = log_probabilities.copy(), said.length[:n]
        self._penalize(scores, said, numpy.flatnonzero((self._penalty[:n] != 1) & (length > 0)))
        self._forbid_ngrams(scores, said)
        for row in numpy.flatnonzero(self._suppression[:n] != None).tolist():  # noqa: E711  # elementwise
            self._suppression[row].forbid(scores[row], said.ids[row, :, : length[row]])
        scores[self._no_unknown[:n], :, self._unk] = -numpy.inf
        early = numpy.flatnonzero(length < self._least[:n])
        scores[early[:, None], :, ends[early]] = -numpy.inf
        prefixed = length < self._prefix_length[:n]
        self._force(scores, log_probabilities, said, numpy.flatnonzero(prefixed & (self._bias[:n] == 0)))
        self._pull(scores, said, numpy.flatnonzero(prefixed & (self._bias[:n] > 0)))
        nothing = numpy.isneginf(scores.max(axis=-1))
        scores[nothing, self._eos] = log_probabilities[nothing, self._eos]
        return scores

    def _penalize(self, scores: Floats, said: Hypotheses, rows: Numbers) -> None:
        """Multiply the log-probabilities of pieces that were said (after Keskar et al. 2019, CTRL, 4.1)."""
        if not len(rows):
            return
        length = said.length[rows]
        ids = said.ids[rows, :, : length.max()]
        ids = numpy.where(numpy.arange(ids.shape[2]) < length[:, None, None], ids, ids[:, :, :1])
        penalized = numpy.take_along_axis(scores[rows], ids, 2) * self._penalty[rows, None, None]
        hypotheses = numpy.arange(ids.shape[1])[:, None]
        scores[rows[:, None, None], hypotheses, ids] = penalized

    def _forbid_ngrams(self, scores: Floats, said: Hypotheses) -> None:
        """Forbid every piece that would complete an n-gram for the second time."""
        sizes, length = self._ngram[: self.rows], said.length[: self.rows]
        for size in numpy.unique(sizes[(sizes > 0) & (length >= sizes)]).tolist():
            rows = numpy.flatnonzero((sizes == size) & (length >= size))
            ids, ends = said.ids[rows, :, : length[rows].max()], length[rows, None, None]
            tail = numpy.take_along_axis(ids, ends - size + 1 + numpy.arange(size - 1), 2)
            windows = sliding_window_view(ids, size, axis=2)  # (rows, W, T - size + 1, size)
            same = (windows[..., :-1] == tail[:, :, None]).all(axis=-1)
            same &= numpy.arange(windows.shape[2]) + size <= ends
            row, hypothesis, _ = numpy.nonzero(same)
            scores[rows[row], hypothesis, windows[same][:, -1]] = -numpy.inf

    def _force(self, scores: Floats, log_probabilities: Floats, said: Hypotheses, rows: Numbers) -> None:
        """Leave nothing but the next piece of the prefix."""
        pieces = self._prefix[rows, said.length[rows]]
        scores[rows] = -numpy.inf
        scores[rows, :, pieces] = log_probabilities[rows, :, pieces]

    def _pull(self, scores: Floats, said: Hypotheses, rows: Numbers) -> None:
        """Mix the distribution with the prefix's next piece, where all before is the prefix (CTranslate2)."""
        for row in rows.tolist():
            at, bias = int(said.length[row]), self._bias[row]
            agrees = (said.ids[row, :, :at] == self._prefix[row, :at]).all(axis=1)
            piece = self._prefix[row, at]
            mixed = scores[row, agrees] + numpy.log1p(-bias)
            mixed[:, piece] = numpy.logaddexp(mixed[:, piece], numpy.log(bias))
            scores[row, agrees] = mixed
