"""What every reply tells besides its result: who answered, how much was read, how long it took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from seq2serve.plain import seconds
from seq2serve.v1 import model_pb2, translation_pb2


class ModelVersion(NamedTuple):
    """The model and version that answered; as text `NAME:VERSION`."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"

    @classmethod
    def from_message(cls, message: model_pb2.ModelRef) -> ModelVersion:
        """Read the protocol's message."""
        return cls(message.name, message.version)


class Notice(NamedTuple):
    """Something to know about a call that went well."""

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

    @classmethod
    def from_message(cls, message: translation_pb2.Usage) -> Usage:
        """Read the protocol's message."""
        return cls(
            source_tokens=message.source_tokens,
            target_tokens=message.target_tokens,
            unknown_source_tokens=message.unknown_source_tokens,
            truncated_source_tokens=message.truncated_source_tokens,
            cached=message.cached,
        )


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


def notices_from(messages: Iterable[translation_pb2.Notice]) -> tuple[Notice, ...]:
    """Read the warnings of a reply."""
    return tuple(Notice(notice.reason, notice.message, notice.field) for notice in messages)
