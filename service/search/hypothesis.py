"""One way to translate a source, once it is finished."""

import enum
from dataclasses import dataclass
from typing import NamedTuple

import numpy
from numpy.typing import NDArray


class FinishReason(enum.StrEnum):
    """Say why a hypothesis, or a request, ended; the value is the metric label."""

    EOS = "eos"
    LENGTH = "length"
    END_TOKEN = "end_token"
    REPETITION_GUARD = "repetition_guard"
    CANCELLED = "cancelled"
    DEADLINE = "deadline"
    ERROR = "error"


class Certain(NamedTuple):
    """Hold the first pieces of a hypothesis that goes on."""

    ids: tuple[int, ...]
    token_scores: tuple[float, ...]


NOTHING = Certain((), ())


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """Hold a finished hypothesis."""

    ids: tuple[int, ...]  # without the piece that ended it
    # (L,): log-probabilities of `ids`, then of the piece that ended it; nan where nobody asked for them
    token_scores: NDArray[numpy.float32]
    log_probability: float  # their sum
    rank: float  # what hypotheses of a source are ranked by
    finish_reason: FinishReason
    alignment: NDArray[numpy.float32] | None  # attention weights (len(ids), S), where they were asked for

    @property
    def steps(self) -> int:
        """Return L, the pieces that were scored."""
        return len(self.token_scores)
