"""What passes between a server and the process of a model's engine, and how it is framed.

Two sockets join them. Over one go questions and answers, one at a time: the setup, states, the end. Over the other go
requests one way and news of them the other, as they come.
"""

import pickle
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

import numpy

from service.errors import ServiceError
from service.options import SearchOptions
from service.request import Request
from service.search.hypothesis import Certain, FinishReason, Hypothesis

HEADER = struct.Struct("<I")  # bytes of what follows
# What becomes of a request, beside its hypotheses and why it ended, and who asked needs to know.
OUTCOME = (
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
_outcome_of = attrgetter(*OUTCOME)
# Objects of our own take far longer to pickle than the numbers they hold: options, which are alike in most requests,
# go as bytes that are kept, and all else as plain tuples.
_pack_options = lru_cache(1024)(partial(pickle.dumps, protocol=pickle.HIGHEST_PROTOCOL))
_unpack_options = lru_cache(1024)(pickle.loads)
_REASONS = {reason.value: reason for reason in FinishReason}


class Submitted(NamedTuple):
    """Carry a request; the monotonic clock is the same for all processes of a machine."""

    number: int
    source_ids: bytes
    options: bytes | SearchOptions  # bytes, unless they are of a caller's own
    streams: bool
    priority: int
    deadline: float
    submitted_at: float

    @classmethod
    def of(cls, number: int, request: Request) -> "Submitted":
        """Take what an engine needs to know of a request."""
        ids, options = request.source_ids.tobytes(), request.options
        own = options.sampling or options.suppressed or options.prefix or options.end_ids
        packed = options if own else _pack_options(options)
        return cls(number, ids, packed, request.streams, request.priority, request.deadline, request.submitted_at)

    def request(self) -> Request:
        """Make a request of it."""
        ids = numpy.frombuffer(self.source_ids, numpy.int64)
        options = _unpack_options(self.options) if isinstance(self.options, bytes) else self.options
        return Request(ids, options, self.streams, self.priority, self.deadline, submitted_at=self.submitted_at)


class Cancelled(NamedTuple):
    """Give a request up."""

    number: int


class Accepted(NamedTuple):
    """Tell that a request is in line."""

    number: int


class Progressed(NamedTuple):
    """Tell of a request of which more is certain."""

    number: int
    ids: tuple[int, ...]
    token_scores: tuple[float, ...]

    @classmethod
    def of(cls, number: int, request: Request) -> "Progressed":
        """Take what is certain of a request."""
        return cls(number, *request.certain)

    def tell(self, request: Request) -> None:
        """Note it in the request at the other end."""
        request.certain = Certain(self.ids, self.token_scores)


class Refused(NamedTuple):
    """Tell of a request that was not taken into line."""

    number: int
    error: ServiceError


class Ended(NamedTuple):
    """Tell what became of a request."""

    number: int
    hypotheses: tuple[tuple[Any, ...], ...]
    finish_reason: str
    outcome: tuple[Any, ...]  # by OUTCOME

    @classmethod
    def of(cls, number: int, request: Request) -> "Ended":
        """Take what became of a request."""
        assert request.finish_reason is not None
        hypotheses = tuple(map(_pack_hypothesis, request.hypotheses))
        return cls(number, hypotheses, request.finish_reason.value, _outcome_of(request))

    def tell(self, request: Request) -> None:
        """Note it in the request at the other end."""
        request.hypotheses = [*map(_unpack_hypothesis, self.hypotheses)]
        request.finish_reason = _REASONS[self.finish_reason]
        for name, value in zip(OUTCOME, self.outcome, strict=True):
            setattr(request, name, value)


def _pack_hypothesis(one: Hypothesis) -> tuple[Any, ...]:
    scores = one.token_scores.tobytes()
    return one.ids, scores, one.log_probability, one.rank, one.finish_reason.value, one.alignment


def _unpack_hypothesis(packed: tuple[Any, ...]) -> Hypothesis:
    ids, scores, log_probability, rank, reason, alignment = packed
    token_scores = numpy.frombuffer(scores, numpy.float32)
    return Hypothesis(ids, token_scores, log_probability, rank, _REASONS[reason], alignment)


Message: TypeAlias = Submitted | Cancelled | Accepted | Progressed | Refused | Ended
KINDS: tuple[type[Message], ...] = (Submitted, Cancelled, Accepted, Progressed, Refused, Ended)
_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}


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


def frame(messages: Iterable[Message]) -> bytes:
    """Return the bytes that carry messages."""
    plain = [(_NUMBERS[type(message)], *message) for message in messages]
    body = pickle.dumps(plain, pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(body)) + body


class Unframing:
    """Find messages in bytes that come in any pieces."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._held = bytearray()

    def push(self, data: bytes) -> list[Message]:
        """Take more bytes; returns the messages that are whole now."""
        held, start = self._held, 0
        found: list[Message] = []
        held += data
        while len(held) - start >= HEADER.size:
            (size,) = HEADER.unpack_from(held, start)
            end = start + HEADER.size + size
            if len(held) < end:
                break
            plain = pickle.loads(memoryview(held)[start + HEADER.size : end])
            found += [KINDS[kind](*fields) for kind, *fields in plain]
            start = end
        del held[:start]
        return found
