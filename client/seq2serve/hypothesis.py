"""One way to translate a source, and what may be known about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from seq2serve.plain import enum_word
from seq2serve.v1 import translation_pb2


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
            finish_reason=finish_word(message.finish_reason),
            score=message.score if message.HasField("score") else None,
            log_probability=message.log_probability if message.HasField("log_probability") else None,
            tokens=tuple(message.tokens),
            token_ids=tuple(message.token_ids),
            token_scores=tuple(message.token_scores),
            alignment=tuple(Link(p.source, p.target, p.weight) for p in message.alignment),
            words=words_from(message.words),
        )


def words_from(messages: Iterable[translation_pb2.Word]) -> tuple[Word, ...]:
    """Read the words of a text."""
    return tuple(Word(word.text, word.start, word.end) for word in messages)


def finish_word(reason: translation_pb2.FinishReason) -> str:
    """Return why a translation ended, such as `eos`."""
    return enum_word(translation_pb2.FinishReason.DESCRIPTOR, reason)
