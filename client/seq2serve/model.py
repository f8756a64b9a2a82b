"""What a server tells about a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from seq2serve.plain import as_dict, enum_word
from seq2serve.v1 import model_pb2


class LanguagePair(NamedTuple):
    """What a model translates from and to, as BCP-47 tags."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source}→{self.target}"


class TrainingScore(NamedTuple):
    """One measured quality figure."""

    metric: str
    value: float
    dataset: str
    signature: str


@dataclass(frozen=True, slots=True)
class Model:
    """One version of a model, with the states of its sibling versions.

    `limits` and `default_options` go by the names of the protocol's fields. `message` is the
    protocol's message, for what has no attribute here.
    """

    name: str
    version: int
    state: str
    is_default: bool
    versions: dict[int, str]
    aliases: dict[str, int]
    languages: tuple[LanguagePair, ...]
    architecture: str
    attention: str
    parameter_count: int
    source_vocabulary_size: int
    target_vocabulary_size: int
    limits: dict[str, int]
    default_options: dict[str, Any]
    provider: str
    device: str
    precision: str
    bundle_digest: str
    training_scores: tuple[TrainingScore, ...]
    message: model_pb2.Model = field(repr=False, compare=False)

    @classmethod
    def from_message(cls, message: model_pb2.Model) -> Model:
        """Read the protocol's message."""
        return cls(
            name=message.name,
            version=message.version,
            state=_state(message.state),
            is_default=message.is_default,
            versions={status.version: _state(status.state) for status in message.versions},
            aliases={alias.alias: alias.version for alias in message.aliases},
            languages=tuple(LanguagePair(p.source, p.target) for p in message.languages),
            architecture=message.architecture,
            attention=message.attention,
            parameter_count=message.parameter_count,
            source_vocabulary_size=message.source_vocabulary_size,
            target_vocabulary_size=message.target_vocabulary_size,
            limits=as_dict(message.limits),
            default_options=as_dict(message.default_options),
            provider=message.runtime.provider,
            device=message.runtime.device,
            precision=message.runtime.precision,
            bundle_digest=message.bundle_digest,
            training_scores=tuple(
                TrainingScore(s.metric, s.value, s.dataset, s.signature) for s in message.training_scores
            ),
            message=message,
        )


def _state(number: int) -> str:
    return enum_word(model_pb2.ModelState.DESCRIPTOR, number)
