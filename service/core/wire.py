"""What passes between a server and the process of a model's engine, and how it is framed.

Two sockets join them. Over one go questions and answers, one at a time: the setup, states, the end. Over the other go
requests one way and news of them the other, as they come.
"""

import pickle
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

import numpy

from service.errors import ServiceError
from service.options import SearchOptions
from service.request import Request
from service.search.hypothesis import Certain

HEADER = struct.Struct("<I")  # bytes of what follows
# What becomes of a request, and who asked needs to know.
OUTCOME = (
    "hypotheses",
    "finish_reason",
    "error",
    "taken_at",
    "encoded_at",
    "joined_at",
    "first_token_at",
    "finished_at",
    "retried",
    "steps",
    "mean_batch_size",
)
outcome_of = attrgetter(*OUTCOME)


class Submitted(NamedTuple):
    """Carry a request; the monotonic clock is the same for all processes of a machine."""

    number: int
    source_ids: bytes
    options: SearchOptions
    streams: bool
    priority: int
    deadline: float
    submitted_at: float

    @classmethod
    def of(cls, number: int, request: Request) -> "Submitted":
        """Take what an engine needs to know of a request."""
        ids, options = request.source_ids.tobytes(), request.options
        return cls(number, ids, options, request.streams, request.priority, request.deadline, request.submitted_at)

    def request(self) -> Request:
        """Make a request of it."""
        ids = numpy.frombuffer(self.source_ids, numpy.int64)
        return Request(ids, self.options, self.streams, self.priority, self.deadline, submitted_at=self.submitted_at)


class Cancelled(NamedTuple):
    """Give a request up."""

    number: int


class News(NamedTuple):
    """Tell of one request: that it is in line, that more is certain, that it was refused, or what became of it."""

    number: int
    certain: Certain | None = None
    refusal: ServiceError | None = None
    outcome: tuple[Any, ...] | None = None  # by OUTCOME


class Numbered:
    """Keep the requests in flight on one side of the wire, by the numbers that both sides know them by."""

    def __init__(self) -> None:
        """Begin with none."""
        self._requests: dict[int, Request] = {}
        self._numbers: dict[Request, int] = {}

    def __len__(self) -> int:
        """Count them."""
        return len(self._requests)

    def __iter__(self) -> Iterator[Request]:
        """Iterate over a copy."""
        return iter(list(self._requests.values()))

    def add(self, number: int, request: Request) -> None:
        """Note a request."""
        self._requests[number], self._numbers[request] = request, number

    def request(self, number: int) -> Request | None:
        """Return the request of a number; none: it has ended, or was given up."""
        return self._requests.get(number)

    def number(self, request: Request) -> int | None:
        """Return the number of a request; none: it has ended, or was given up."""
        return self._numbers.get(request)

    def remove(self, request: Request) -> int | None:
        """Forget a request; returns its number, to one of several threads that remove it."""
        number = self._numbers.pop(request, None)
        if number is not None:
            del self._requests[number]
        return number


@dataclass(frozen=True)
class Logs:
    """Say how a process logs, so that all lines of a server are alike."""

    form: str = "auto"
    level: str = "info"
    worker: int | None = None


def frame(message: object) -> bytes:
    """Return the bytes that carry a message."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(body)) + body


class Unframing:
    """Find messages in bytes that come in any pieces."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._held = bytearray()

    def push(self, data: bytes) -> list[Any]:
        """Take more bytes; returns the messages that are whole now."""
        held, found, start = self._held, [], 0
        held += data
        while len(held) - start >= HEADER.size:
            (size,) = HEADER.unpack_from(held, start)
            end = start + HEADER.size + size
            if len(held) < end:
                break
            found.append(pickle.loads(bytes(held[start + HEADER.size : end])))
            start = end
        del held[:start]
        return found
