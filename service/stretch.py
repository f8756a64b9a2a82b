"""A part of the line that is looked at as a whole: what its requests ask for, and the hardest that one may ask."""

import math
from bisect import bisect_left
from dataclasses import dataclass

from service.request import Request


@dataclass(slots=True)
class Stretch:
    """Keep requests sorted by their turns, with bounds for all of them, which stay as they are when one leaves."""

    requests: list[Request]
    work: int = 0  # steps of hypotheses that all are expected to take
    deadline: float = math.inf  # nobody's is sooner
    pieces: int = 0  # nobody's source has more
    max_length: int = 0  # nobody's target may have more

    @classmethod
    def of(cls, requests: list[Request]) -> "Stretch":
        """Return the stretch of requests that are sorted already."""
        stretch = cls(requests)
        for request in requests:
            stretch._count(request)
        return stretch

    @property
    def last_turn(self) -> tuple[float, int]:
        """Return the turn of the last."""
        return self.requests[-1].turn

    def add(self, request: Request) -> None:
        """Let a request join; turns differ."""
        self.requests.insert(self._place(request), request)
        self._count(request)

    def remove(self, request: Request) -> bool:
        """Let a request leave; returns whether it was there."""
        place = self._place(request)
        there = place < len(self.requests) and self.requests[place] is request
        if there:
            del self.requests[place]
            self.work -= request.work
        return there

    def take(self, most: int) -> list[Request]:
        """Let the first leave, as many as there are up to a number; returns them."""
        taken = self.requests[:most]
        del self.requests[:most]
        self.work -= sum(request.work for request in taken)
        return taken

    def behind(self, request: Request) -> "Stretch":
        """Return those whose turn comes after that of a request, in the same bounds."""
        behind = self.requests[self._place(request) :]
        work = sum(other.work for other in behind)
        return Stretch(behind, work, self.deadline, self.pieces, self.max_length)

    def halves(self) -> list["Stretch"]:
        """Return two stretches of as many requests each, and leave this one as it is."""
        middle = len(self.requests) // 2
        return [Stretch.of(self.requests[:middle]), Stretch.of(self.requests[middle:])]

    def _place(self, request: Request) -> int:
        return bisect_left(self.requests, request.turn, key=_turn)

    def _count(self, request: Request) -> None:
        self.work += request.work
        self.deadline = min(self.deadline, request.deadline)
        self.pieces = max(self.pieces, len(request.source_ids))
        self.max_length = max(self.max_length, request.options.max_length)


def _turn(request: Request) -> tuple[float, int]:
    return request.turn
