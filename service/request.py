"""One request in flight: what the core knows of it, from the waiting line to its last word."""

import enum
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy
from numpy.typing import NDArray

from service.errors import ServiceError
from service.options import SearchOptions
from service.search.hypothesis import NOTHING, Certain, FinishReason, Hypothesis

Kind = Literal["greedy", "beam", "independent"]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Encoded:
    """Hold what the encoder made of a batch, by name, wherever its runner keeps such tensors."""

    state: Mapping[str, Any]  # (B, *)
    memory: Mapping[str, Any]  # (B, S, *), or (B, *)
    lengths: NDArray[numpy.int64]  # (B,)


class Lane(NamedTuple):
    """Name the rows that are stepped together.

    But for the shard, which changes no result, it follows from a request alone, never from the load.
    """

    source_length: int  # S that the memory of its rows is padded to
    width: int = 1  # W
    graph: Literal["step", "step_full", "step_greedy"] = "step"
    search: Kind = "greedy"
    shard: int = 0  # of the engine, set on admission
    alone: int = 0  # the number of its one request, if that is tried again by itself

    @classmethod
    def of(cls, source_length: int, options: SearchOptions) -> "Lane":
        """Return the lane for sources up to `source_length` and these options."""
        search: Kind = "greedy"
        if options.sampling or options.alternatives:
            search = "independent"
        elif options.beam_size > 1:
            search = "beam"
        if options.whole_distribution:
            return cls(source_length, options.width, "step_full", search)
        plain = search == "greedy" and not options.scored
        return cls(source_length, options.width, "step_greedy" if plain else "step", search)


class Status(enum.Enum):
    """Say where a request is."""

    SENT = enum.auto()  # on its way to an engine in another process
    WAITING = enum.auto()
    ENCODING = enum.auto()
    READY = enum.auto()  # encoded, in line for slots
    RUNNING = enum.auto()
    FINISHED = enum.auto()


@dataclass(eq=False, slots=True)
class Request:
    """Hold a validated request; `eq=False`: a request equals only itself."""

    source_ids: NDArray[numpy.int64]  # (S,), without bos and eos
    options: SearchOptions
    streams: bool = False  # wants to hear of every certain piece
    priority: int = 0
    deadline: float = math.inf  # monotonic seconds
    # Called with it when it has ended, or more is certain, by whoever delivers.
    notify: Callable[["Request"], None] = lambda request: None

    status: Status = Status.WAITING
    work: int = 0  # steps of its hypotheses that it is expected to take
    turn: tuple[float, int] = (0.0, 0)  # in line: when to begin at the latest, and the number of the request
    lane: Lane | None = None
    encoded: Encoded | None = None  # the batch that it was encoded in, until it joins
    encoded_row: int = -1  # in that batch
    row: int = -1  # in its lane, while running

    certain: Certain = NOTHING  # how the best hypothesis begins; only where `streams`
    hypotheses: list[Hypothesis] = field(default_factory=list)  # best first, once it has ended
    finish_reason: FinishReason | None = None
    cached: bool = False  # its answer was known, and no engine has seen it
    error: ServiceError | None = None

    # Monotonic seconds. The first is set on arrival, the others when the thing has happened.
    submitted_at: float = field(default_factory=time.monotonic)
    lined_up_at: float = 0.0  # a call of many texts lets them into line only a few at a time
    taken_at: float = 0.0  # from the line, to be encoded
    encoded_at: float = 0.0
    joined_at: float = 0.0
    first_token_at: float = 0.0
    finished_at: float = 0.0
    cancelled_at: float = 0.0
    retried: bool = False  # a step or a batch that it was in has failed before
    steps: int = 0
    lane_rows_before: int = 0  # row steps of the lane before this request joined
    mean_batch_size: float = 0.0  # rows of the lane, averaged over this request's steps
