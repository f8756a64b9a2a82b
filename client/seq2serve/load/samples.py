"""What was recorded of each request."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

_COLUMNS = ("payload", "intended", "start", "end", "code", "size")


@dataclass
class Samples:
    """The records of a run, one column per fact, in the order in which the requests ended.

    Times are seconds from the beginning of the run. Columns and not objects, because the garbage collector would
    walk a million objects again and again while the run goes on.

    Attributes:
        payload: Which of the payloads was sent.
        intended: When the request was to start.
        start: When it did: later where the generator itself was late.
        end: When the reply or the failure came.
        code: gRPC status code, by number; 0 is OK.
        size: Bytes of the reply; 0 for a failure.
        messages: What the first failure of each code said.
    """

    payload: array[int] = field(default_factory=lambda: array("q"))
    intended: array[float] = field(default_factory=lambda: array("d"))
    start: array[float] = field(default_factory=lambda: array("d"))
    end: array[float] = field(default_factory=lambda: array("d"))
    code: array[int] = field(default_factory=lambda: array("q"))
    size: array[int] = field(default_factory=lambda: array("q"))
    messages: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.end)

    def add(self, payload: int, intended: float, start: float, end: float, code: int, size: int) -> None:
        """Record a request."""
        self.payload.append(payload)
        self.intended.append(intended)
        self.start.append(start)
        self.end.append(end)
        self.code.append(code)
        self.size.append(size)

    def as_dict(self) -> dict[str, Any]:
        """Return the columns as lists, for JSON."""
        columns = {name: getattr(self, name).tolist() for name in _COLUMNS}
        return {**columns, "messages": {str(code): message for code, message in self.messages.items()}}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Read what `as_dict` returned."""
        samples = cls(messages={int(code): message for code, message in fields["messages"].items()})
        for name in _COLUMNS:
            getattr(samples, name).extend(fields[name])
        return samples
