"""What every search must return: the semantics in plain Python over PyTorch, one sentence at a time, slow on purpose.

Written from the semantics alone, so that service/search/ can be held against it; it stops no search early.
V is the vocabulary, S the source length, y the pieces of a hypothesis so far, l(v) the model's log-probability of a
piece and s(v) that log-probability after all penalties and constraints.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import torch
from numpy.typing import NDArray

from models.attention import Memory
from models.cells import State
from models.seq2seq import Seq2Seq
from models.tokenizer import BOS_ID, EOS_ID, UNK_ID
from service.options import Ids, Sampling, SearchOptions
from service.search.uniform import uniform

Floats = NDArray[numpy.float64]
LEAST_ATTENTION = numpy.finfo(numpy.float32).tiny  # whose logarithm is taken where the sum has underflowed to 0
LONGEST_PERIOD = 8  # pieces, of a loop that the repetition guard sees


@dataclass(frozen=True)
class Hypothesis:
    """Hold one finished hypothesis."""

    ids: Ids  # without the piece that ended it
    token_scores: tuple[float, ...]  # l of each id, then of the piece that ended it
    log_probability: float  # their sum
    score: float  # by which it is ranked
    finish_reason: str  # eos, end_token, length or repetition_guard
    alignment: Floats  # (len(ids), S)


@dataclass(frozen=True)
class Path:
    """Hold a hypothesis that is searched for; the four tuples are equally long."""

    state: State  # before the next piece, each (1, 1, H)
    pieces: Ids = ()
    raw: tuple[float, ...] = ()  # l of each piece
    adjusted: tuple[float, ...] = ()  # s of each piece
    attention: tuple[Floats, ...] = ()  # (S,) of the step that produced each piece

    @property
    def total(self) -> float:
        """Return the sum of s."""
        return sum(self.adjusted)


@dataclass(frozen=True)
class Step:
    """Hold what the model says after a path, and what the options make of it."""

    path: Path
    raw: Floats  # l, (V,)
    adjusted: Floats  # s, (V,)
    attention: Floats  # (S,)
    state: State

    def take(self, piece: int) -> Path:
        """Lengthen the path by a piece."""
        return Path(
            self.state,
            (*self.path.pieces, piece),
            (*self.path.raw, float(self.raw[piece])),
            (*self.path.adjusted, float(self.adjusted[piece])),
            (*self.path.attention, self.attention),
        )


@torch.no_grad()
def decode(model: Seq2Seq, source_ids: Sequence[int], options: SearchOptions) -> list[Hypothesis]:
    """Translate one sentence; gives its hypotheses in the order in which they are returned."""
    memory, state = model.encode(torch.tensor([list(source_ids)]), torch.tensor([len(source_ids)]))
    start = Path(state)
    if options.width > 1 and not options.sampling and not options.alternatives:
        return _beam(model, memory, start, options)
    followed = (_follow(model, memory, start, options, w) for w in range(options.width))
    found = [hypothesis for hypothesis in followed if hypothesis]
    return sorted(found, key=lambda hypothesis: -hypothesis.score) if options.sampling else found


def _follow(model: Seq2Seq, memory: Memory, path: Path, options: SearchOptions, number: int) -> Hypothesis | None:
    """Take one piece at a time, for the hypothesis of this number; None where it is too improbable."""
    while True:
        (step,) = _advance(model, memory, [path], options)
        s, t = step.adjusted, len(path.pieces)
        piece: int | None
        if options.sampling:
            piece = drawn(s, options.sampling, number, t)
        elif options.alternatives and t == len(options.prefix):
            piece = alternative(s, options.min_alternative_probability, number)
        else:
            piece = int(s.argmax())
        if piece is None:
            return None
        path = step.take(piece)
        if reason := _ended(path, options):
            return finished(path, reason, options)


def _beam(model: Seq2Seq, memory: Memory, start: Path, options: SearchOptions) -> list[Hypothesis]:
    done: list[Hypothesis] = []
    live = [start]
    width, ends = options.width, {EOS_ID, *options.end_ids}
    while live and len(done) < max(options.patience * width, options.num_hypotheses):
        steps = _advance(model, memory, live, options)
        totals = numpy.stack([step.path.total + step.adjusted for step in steps])  # (live, V)
        # Of so many, at least `width` do not end.
        ranked = _best_first(totals, width + len(live) * len(ends))
        paths = [steps[hypothesis].take(piece) for hypothesis, piece in ranked]
        going_on = [path for path in paths if path.pieces[-1] not in ends][:width]
        done += [finished(path, _ended(path, options), options) for path in paths[:width] if path.pieces[-1] in ends]
        for wanted in ("repetition_guard", "length"):
            done += [finished(path, wanted, options) for path in going_on if _ended(path, options) == wanted]
        live = [path for path in going_on if not _ended(path, options)]
    return sorted(done, key=lambda hypothesis: -hypothesis.score)[: options.num_hypotheses]


def _best_first(totals: Floats, count: int) -> list[tuple[int, int]]:
    """List the `count` greatest finite places of a matrix; of equals the first."""
    flat = totals.ravel()
    places = numpy.flatnonzero(numpy.isfinite(flat))
    if len(places) > count:
        places = places[flat[places] >= numpy.partition(flat[places], -count)[-count]]
    best = sorted(places.tolist(), key=lambda place: (-flat[place], place))[:count]
    return [divmod(place, totals.shape[1]) for place in best]


def _advance(model: Seq2Seq, memory: Memory, paths: Sequence[Path], options: SearchOptions) -> list[Step]:
    """Ask the model what comes after each path."""
    previous = torch.tensor([[path.pieces[-1] if path.pieces else BOS_ID for path in paths]])
    state = tuple(torch.cat(tensors, dim=1) for tensors in zip(*(path.state for path in paths), strict=True))
    logits, state, attention = model.step(previous, state, memory)
    assert attention is not None, "a model with a fixed context has no alignment to compare"
    raw = torch.log_softmax(logits, dim=-1)[0].double().numpy()
    return [
        Step(
            path,
            raw[w],
            adjusted(raw[w], path.pieces, options),
            attention[0, w].double().numpy(),
            tuple(tensor[:, w : w + 1] for tensor in state),
        )
        for w, path in enumerate(paths)
    ]


def adjusted(raw: Floats, y: Ids, options: SearchOptions) -> Floats:
    """Turn l (V,) into s (V,) after the pieces y."""
    s, t, n = raw.copy(), len(y), options.no_repeat_ngram_size
    for piece in set(y):
        s[piece] *= options.repetition_penalty
    if n:
        for first in range(t - n + 1):
            if y[first : first + n - 1] == y[t - n + 1 :]:
                s[y[first + n - 1]] = -math.inf
    for sequence in options.suppressed:
        before = len(sequence) - 1
        if t >= before and y[t - before :] == sequence[:-1]:
            s[sequence[-1]] = -math.inf
    if options.disable_unknown:
        s[UNK_ID] = -math.inf
    if t < options.min_length:
        s[[EOS_ID, *options.end_ids]] = -math.inf
    if t < len(options.prefix):
        wanted = options.prefix[t]
        if options.prefix_bias == 0:
            s[:] = -math.inf
            s[wanted] = raw[wanted]
        elif y == options.prefix[:t]:
            probabilities = (1 - options.prefix_bias) * numpy.exp(s)
            probabilities[wanted] += options.prefix_bias
            with numpy.errstate(divide="ignore"):
                s = numpy.log(probabilities)
    if not numpy.isfinite(s).any():
        s[EOS_ID] = raw[EOS_ID]
    return s


def drawn(s: Floats, sampling: Sampling, number: int, t: int) -> int:
    """Draw a piece by inverse CDF, in float64."""
    x = s / sampling.temperature
    if sampling.top_k:
        x = numpy.where(x >= numpy.sort(x)[-sampling.top_k], x, -math.inf)
    probabilities = numpy.exp(x - x.max())
    probabilities /= probabilities.sum()
    if sampling.top_p < 1:
        descending = numpy.sort(probabilities)[::-1]
        last = min(int(numpy.searchsorted(descending.cumsum(), sampling.top_p)), len(descending) - 1)
        probabilities = numpy.where(probabilities >= descending[last], probabilities, 0)
    place = (numpy.array([part], numpy.uint64) for part in (sampling.seed, number, t))
    cumulative = probabilities.cumsum()
    return int(numpy.searchsorted(cumulative, uniform(*place)[0] * cumulative[-1], side="right"))


def alternative(s: Floats, least: float, number: int) -> int | None:
    """Choose the best piece but `number` others; None where its probability is below `least`, but never the best."""
    piece = int(numpy.argsort(-s, kind="stable")[number])
    probability = math.exp(s[piece])
    return None if number and (probability == 0 or probability < least) else piece


def _ended(path: Path, options: SearchOptions) -> str:
    """Tell why a path ends here; empty where it goes on."""
    if path.pieces[-1] == EOS_ID:
        return "eos"
    if path.pieces[-1] in options.end_ids:
        return "end_token"
    if options.repetition_guard and looped(path.pieces):
        return "repetition_guard"
    return "length" if len(path.pieces) == options.max_length else ""


def looped(y: Ids) -> int:
    """Count the last pieces that only repeat what is before them; 0 where that is no loop."""
    for period in range(1, LONGEST_PERIOD + 1):
        run = 0
        while run + period < len(y) and y[-1 - run] == y[-1 - run - period]:
            run += 1
        if run >= max(3 * period, 8):
            return run
    return 0


def finished(path: Path, reason: str, options: SearchOptions) -> Hypothesis:
    """Rank a path by all its pieces, and cut a loop off what is returned.

    Ranked after the cut, a loop could score higher than the path did when it was compared with others.
    """
    length, attention = len(path.pieces), numpy.stack(path.attention)  # L and (L, S)
    score = path.total / ((5 + length) / 6) ** options.length_penalty
    attended = attention.sum(0).clip(LEAST_ATTENTION, 1)
    score += options.coverage_penalty * float(numpy.log(attended).sum())
    returned = length - (looped(path.pieces) if reason == "repetition_guard" else 0)
    ids = path.pieces[: returned - (reason in ("eos", "end_token"))]
    raw = path.raw[:returned]
    return Hypothesis(ids, raw, sum(raw), score, reason, attention[: len(ids)])
