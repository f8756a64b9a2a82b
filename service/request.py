"""One request in flight: what the core knows of it, from the waiting line to its last word."""

import enum
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy
from numpy.typing import NDArray

from service.errors import ServiceError


class Lane(NamedTuple):
    """Name the rows that are stepped together; it follows from a request alone, never from the load."""

    source_length: int  # S that the memory of its rows is padded to
    width: int = 1  # W
    graph: str = "step"


class Status(enum.Enum):
    """Say where a request is."""

    WAITING = enum.auto()
    RUNNING = enum.auto()
    FINISHED = enum.auto()


class FinishReason(enum.StrEnum):
    """Say why a request ended; the value is the metric label."""

    EOS = "eos"
    LENGTH = "length"
    CANCELLED = "cancelled"
    ERROR = "error"


@dataclass(eq=False, slots=True)
class Request:
    """Hold a validated request; `eq=False`: a request equals only itself."""

    source_ids: NDArray[numpy.int64]  # (S,), without bos and eos
    max_length: int  # target pieces, eos not counted
    settle: Callable[[], None] = lambda: None  # called once, when the request has ended, by whoever delivers

    status: Status = Status.WAITING
    lane: Lane | None = None
    row: int = -1  # in its lane, while running

    target_ids: list[int] = field(default_factory=list)  # without eos
    log_probability: float = 0.0  # of all chosen pieces, eos included
    finish_reason: FinishReason | None = None
    error: ServiceError | None = None

    # Monotonic seconds. The first is set on arrival, the others when the thing has happened.
    submitted_at: float = field(default_factory=time.monotonic)
    admitted_at: float = 0.0
    encoded_at: float = 0.0
    first_token_at: float = 0.0
    finished_at: float = 0.0
    cancelled_at: float = 0.0
    steps: int = 0
    lane_rows_before: int = 0  # row steps of the lane before this request joined
    mean_batch_size: float = 0.0  # rows of the lane, averaged over this request's steps
