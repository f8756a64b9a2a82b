"""What becomes of each of many texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from seq2serve.errors import Seq2ServeError
from seq2serve.result import Translation
from seq2serve.status import item_error
from seq2serve.v1 import translation_pb2

Outcome: TypeAlias = Translation | Seq2ServeError
"""A translation, or the error that a call for this text alone would have raised."""


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of one text of a stream: its position from 0, its request id, and the outcome."""

    index: int
    request_id: str
    outcome: Outcome

    @classmethod
    def from_message(cls, message: translation_pb2.TranslateResult) -> BulkResult:
        """Read the protocol's message."""
        return cls(message.index, message.request_id, outcome_from(message))


def outcome_from(message: translation_pb2.TranslateResult) -> Outcome:
    """Read the translation or the error of one text."""
    if message.status.code:
        return item_error(message.status, message.request_id)
    return Translation.from_message(message.response)
