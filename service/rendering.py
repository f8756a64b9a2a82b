"""A finished hypothesis as text, with what its words align to in the source."""

from dataclasses import dataclass

import numpy

from service.search.hypothesis import Hypothesis
from service.text.links import Link, Weights, hard, soft
from service.text.notice import Notice
from service.text.transfer import restore
from service.text.words import Word
from service.validation import Part
from service.vocabulary import Vocabulary


@dataclass(frozen=True)
class Rendered:
    """Hold a hypothesis of a part, or of all parts joined."""

    text: str
    hypothesis: Hypothesis
    words: tuple[Word, ...] = ()
    weights: Weights | None = None  # (words, source words); none where nothing needed the source's text
    notices: tuple[Notice, ...] = ()

    @property
    def piece_weights(self) -> Weights:
        """Return the attention weights (T, S) between pieces."""
        assert self.hypothesis.alignment is not None
        return self.hypothesis.alignment


def render(part: Part, hypothesis: Hypothesis, vocabulary: Vocabulary) -> Rendered:
    """Make text of a hypothesis, and put back what the source was protected of."""
    if part.protected is None:
        return Rendered(vocabulary.decode(hypothesis.ids), hypothesis)
    weights = hypothesis.alignment
    if weights is None:
        weights = numpy.zeros((len(hypothesis.ids), len(part.source.ids)), numpy.float32)
    target = vocabulary.decode_spans(hypothesis.ids)
    restored = restore(part.protected, part.source, target, weights, vocabulary.unknown_id)
    return Rendered(restored.text, hypothesis, tuple(restored.words), restored.weights, tuple(restored.notices))


def links(weights: Weights, least: float | None, source: int = 0, target: int = 0) -> list[Link]:
    """List the links of weights (T, S): hard ones, or those of at least `least`; indexes start from the given ones."""
    found = hard(weights) if least is None else soft(weights, least)
    return [Link(link.source + source, link.target + target, link.weight) for link in found]
