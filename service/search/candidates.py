"""What a step offers: the best pieces of every hypothesis, or the probabilities of all."""

from typing import NamedTuple

import numpy
from numpy.typing import NDArray

Ids = NDArray[numpy.int64]
Floats = NDArray[numpy.float32]
Totals = NDArray[numpy.float64]


class Choice(NamedTuple):
    """Hold what was chosen at the last step, from which the next one goes on."""

    ids: Ids  # the last piece of every hypothesis (B, W); bos at the first step
    parents: Ids | None  # which hypothesis each one continues (B, W); none: each continues itself
    # Sums of what is ranked (B, W), -inf for hypotheses that are over. Where they are given, who steps may choose by
    # itself, as long as nobody joins or leaves: the best piece of each, or of a beam the W best that do not end.
    totals: Totals | None


class Step(NamedTuple):
    """Hold what the decoder graph gave."""

    # Log-probabilities of the candidates, best first (B, W, C), or of the whole vocabulary (B, W, V); in lanes of
    # requests that ask for none, logits of the whole vocabulary, or nothing where there is one candidate.
    log_probabilities: Floats | None
    ids: Ids | None  # the candidates (B, W, C); none: all pieces in their order
    alignment: Floats | None = None  # attention weights (B, W, S), where they were asked for


class Candidates(NamedTuple):
    """Hold the pieces that a hypothesis may go on with, best score first."""

    ids: Ids  # (B, W, C)
    scores: Floats  # (B, W, C); what is ranked, -inf: forbidden
    log_probabilities: Floats  # (B, W, C); what the model said


def best(scores: Floats, log_probabilities: Floats, count: int) -> Candidates:
    """Take the `count` best of all pieces (B, W, V), the lower id first among equals."""
    ids = scores.argmax(axis=-1, keepdims=True) if count == 1 else _falling(scores, count)
    return Candidates(ids, numpy.take_along_axis(scores, ids, -1), numpy.take_along_axis(log_probabilities, ids, -1))


def _falling(scores: Floats, count: int) -> Ids:
    """Find the `count` best of scores (B, W, V)."""
    first = max(0, scores.shape[-1] - count)
    ids: Ids = numpy.sort(scores.argpartition(first, axis=-1)[..., first:], axis=-1)
    chosen = numpy.take_along_axis(scores, ids, -1)
    order = numpy.argsort(-chosen, axis=-1, kind="stable")
    ids = numpy.take_along_axis(ids, order, -1)
    # Where pieces are equal at its border, the partition takes any of them.
    as_good = numpy.count_nonzero(scores >= chosen.min(axis=-1, keepdims=True), axis=-1)
    for place in zip(*numpy.nonzero(as_good > ids.shape[-1]), strict=True):
        ids[place] = numpy.argsort(-scores[place], kind="stable")[: ids.shape[-1]]
    return ids
