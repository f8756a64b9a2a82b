"""What a translation returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from seq2serve.facts import ModelVersion, Notice, Timing, Usage, notices_from
from seq2serve.hypothesis import Hypothesis, Word, finish_word, words_from
from seq2serve.v1 import translation_pb2


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a text that was split, and its translation.

    `score` is the log-probability per piece, None unless scores were asked for.
    """

    source: str
    target: str
    finish_reason: str
    score: float | None

    @classmethod
    def from_message(cls, message: translation_pb2.Sentence) -> Sentence:
        """Read the protocol's message."""
        return cls(
            source=message.source,
            target=message.target,
            finish_reason=finish_word(message.finish_reason),
            score=message.score if message.HasField("score") else None,
        )


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated text; `str(translation)` is the best hypothesis.

    What was not asked for is None or empty: `source_tokens` come with `tokens` or an alignment of
    pieces, `source_words` with an alignment of words, `sentences` with `split_sentences`, `seed` with
    sampling. `message` is the protocol's reply, for what has no attribute here.
    """

    hypotheses: tuple[Hypothesis, ...]
    model: ModelVersion
    usage: Usage
    timing: Timing | None
    warnings: tuple[Notice, ...]
    source_tokens: tuple[str, ...]
    source_words: tuple[Word, ...]
    sentences: tuple[Sentence, ...]
    seed: int | None
    request_id: str
    message: translation_pb2.TranslateResponse = field(repr=False, compare=False)

    @property
    def text(self) -> str:
        """The best hypothesis' text."""
        return self.hypotheses[0].text

    def __str__(self) -> str:
        return self.text

    @classmethod
    def from_message(cls, message: translation_pb2.TranslateResponse) -> Translation:
        """Read the protocol's message."""
        return cls(
            hypotheses=tuple(Hypothesis.from_message(item) for item in message.hypotheses),
            model=ModelVersion.from_message(message.resolved_model),
            usage=Usage.from_message(message.usage),
            timing=Timing.from_message(message.timing) if message.HasField("timing") else None,
            warnings=notices_from(message.warnings),
            source_tokens=tuple(message.source_tokens),
            source_words=words_from(message.source_words),
            sentences=tuple(Sentence.from_message(item) for item in message.sentences),
            seed=message.seed if message.HasField("seed") else None,
            request_id=message.request_id,
            message=message,
        )
