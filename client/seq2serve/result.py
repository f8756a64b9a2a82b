"""What a translation returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from seq2serve.plain import enum_word, seconds
from seq2serve.v1 import translation_pb2


class ModelVersion(NamedTuple):
    """The model and version that answered; as text `NAME:VERSION`."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


class Link(NamedTuple):
    """An alignment link between a source and a target unit, by index, with its attention weight."""

    source: int
    target: int
    weight: float


class Word(NamedTuple):
    """A word and where it stands in its text: `text[start:end]`."""

    text: str
    start: int
    end: int


class Notice(NamedTuple):
    """Something to know about a translation that went well."""

    reason: str
    message: str
    field: str


@dataclass(frozen=True, slots=True)
class Usage:
    """How many pieces were read and written."""

    source_tokens: int
    target_tokens: int
    unknown_source_tokens: int
    truncated_source_tokens: int
    cached: bool


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the stages took on the server, in seconds."""

    total: float
    tokenize: float
    queue: float
    encode: float
    decode: float
    detokenize: float
    time_to_first_token: float
    decode_steps: int
    mean_batch_size: float

    @classmethod
    def from_message(cls, message: translation_pb2.Timing) -> Timing:
        """Read the protocol's message."""
        return cls(
            total=seconds(message.total),
            tokenize=seconds(message.tokenize),
            queue=seconds(message.queue),
            encode=seconds(message.encode),
            decode=seconds(message.decode),
            detokenize=seconds(message.detokenize),
            time_to_first_token=seconds(message.time_to_first_token),
            decode_steps=message.decode_steps,
            mean_batch_size=message.mean_batch_size,
        )


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One way to translate the source.

    What was not asked for is None (numbers) or empty (sequences). `score` is the log-probability
    per piece. `finish_reason` is `eos` when the model ended it, else `length`, `end_token` or
    `repetition_guard`.
    """

    text: str
    finish_reason: str
    score: float | None = None
    log_probability: float | None = None
    tokens: tuple[str, ...] = ()
    token_ids: tuple[int, ...] = ()
    token_scores: tuple[float, ...] = ()
    alignment: tuple[Link, ...] = ()
    words: tuple[Word, ...] = ()

    @classmethod
    def from_message(cls, message: translation_pb2.Hypothesis) -> Hypothesis:
        """Read the protocol's message."""
        return cls(
            text=message.text,
            finish_reason=enum_word(translation_pb2.FinishReason.DESCRIPTOR, message.finish_reason),
            score=message.score if message.HasField("score") else None,
            log_probability=(message.log_probability if message.HasField("log_probability") else None),
            tokens=tuple(message.tokens),
            token_ids=tuple(message.token_ids),
            token_scores=tuple(message.token_scores),
            alignment=tuple(Link(p.source, p.target, p.weight) for p in message.alignment),
            words=tuple(Word(w.text, w.start, w.end) for w in message.words),
        )


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated text; `str(translation)` is the best hypothesis.

    `message` is the protocol's reply, for what has no attribute here.
    """

    hypotheses: tuple[Hypothesis, ...]
    model: ModelVersion
    usage: Usage
    timing: Timing | None
    warnings: tuple[Notice, ...]
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
        usage = message.usage
        return cls(
            hypotheses=tuple(Hypothesis.from_message(item) for item in message.hypotheses),
            model=ModelVersion(message.resolved_model.name, message.resolved_model.version),
            usage=Usage(
                source_tokens=usage.source_tokens,
                target_tokens=usage.target_tokens,
                unknown_source_tokens=usage.unknown_source_tokens,
                truncated_source_tokens=usage.truncated_source_tokens,
                cached=usage.cached,
            ),
            timing=Timing.from_message(message.timing) if message.HasField("timing") else None,
            warnings=tuple(Notice(w.reason, w.message, w.field) for w in message.warnings),
            request_id=message.request_id,
            message=message,
        )
