"""How probable a given translation is."""

from __future__ import annotations

from dataclasses import dataclass, field

from seq2serve.facts import ModelVersion, Notice, Timing, Usage, notices_from
from seq2serve.hypothesis import Hypothesis, Word, words_from
from seq2serve.v1 import translation_pb2


@dataclass(frozen=True, slots=True)
class Scored:
    """A given translation with its log-probability.

    `hypothesis` is the target as the model read it, with what was asked for; the rest is as in
    `Translation`. `message` is the protocol's reply, for what has no attribute here.
    """

    hypothesis: Hypothesis
    model: ModelVersion
    usage: Usage
    timing: Timing | None
    warnings: tuple[Notice, ...]
    source_tokens: tuple[str, ...]
    source_words: tuple[Word, ...]
    request_id: str
    message: translation_pb2.ScoreResponse = field(repr=False, compare=False)

    @property
    def log_probability(self) -> float:
        """Natural log-probability of the target, its end symbol included."""
        return self.message.hypothesis.log_probability

    @property
    def score(self) -> float:
        """The log-probability per piece."""
        return self.message.hypothesis.score

    @property
    def token_scores(self) -> tuple[float, ...]:
        """The log-probability of each piece and of the end symbol; empty unless asked for."""
        return self.hypothesis.token_scores

    @classmethod
    def from_message(cls, message: translation_pb2.ScoreResponse) -> Scored:
        """Read the protocol's message."""
        return cls(
            hypothesis=Hypothesis.from_message(message.hypothesis),
            model=ModelVersion.from_message(message.resolved_model),
            usage=Usage.from_message(message.usage),
            timing=Timing.from_message(message.timing) if message.HasField("timing") else None,
            warnings=notices_from(message.warnings),
            source_tokens=tuple(message.source_tokens),
            source_words=words_from(message.source_words),
            request_id=message.request_id,
            message=message,
        )
