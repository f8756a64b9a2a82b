"""A finished hypothesis as text, with what its words align to in the source."""

from dataclasses import dataclass

import numpy

from service.search.hypothesis import FinishReason, Hypothesis
from service.text.links import Link, Weights, hard, soft
from service.text.notice import Notice
from service.text.transfer import restore
from service.text.words import Word
from service.validation import Part
from service.vocabulary import Vocabulary


@dataclass(frozen=True)
class Rendered:
    """Hold a hypothesis of a part, and its text."""

    text: str
    hypothesis: Hypothesis
    words: tuple[Word, ...] = ()
    # Of pieces (T, S) and of words; none where nothing needed the source's text.
    piece_weights: Weights | None = None
    weights: Weights | None = None
    notices: tuple[Notice, ...] = ()


# Of a part without a piece, which may still hold a tag.
SILENCE = Hypothesis((), numpy.zeros(0, numpy.float32), 0.0, 0.0, FinishReason.EOS, None)


def render(part: Part, vocabulary: Vocabulary) -> list[Rendered]:
    """Make text of a part's hypotheses, best first."""
    hypotheses = part.request.hypotheses if part.request else [SILENCE]
    return [_render(part, hypothesis, vocabulary) for hypothesis in hypotheses]


def _render(part: Part, hypothesis: Hypothesis, vocabulary: Vocabulary) -> Rendered:
    """Make text of a hypothesis, and put back what the source was protected of."""
    if part.protected is None:
        return Rendered(vocabulary.decode(hypothesis.ids), hypothesis)
    pieces = len(part.source.ids)  # behind them the model may have read an end
    weights = None if hypothesis.alignment is None else hypothesis.alignment[:, :pieces]
    if weights is None:
        weights = numpy.zeros((len(hypothesis.ids), pieces), numpy.float32)
    target = vocabulary.decode_spans(hypothesis.ids)
    restored = restore(part.protected, part.source, target, weights, vocabulary.unknown_id)
    return Rendered(
        restored.text, hypothesis, tuple(restored.words), weights, restored.weights, tuple(restored.notices)
    )


def links(weights: Weights, least: float | None, source: int = 0, target: int = 0) -> list[Link]:
    """List the links of weights (T, S): hard ones, or those of at least `least`; indexes start from the given ones."""
    found = hard(weights) if least is None else soft(weights, least)
    return [Link(link.source + source, link.target + target, link.weight) for link in found]
