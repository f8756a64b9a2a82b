"""Who waits for slots, in the order of their turns."""

from bisect import bisect_left
from collections.abc import Iterator
from operator import attrgetter

from service.request import Request
from service.stretch import Stretch

LONGEST = 128  # requests of a stretch, above which it becomes two

_last_turn = attrgetter("last_turn")


class Line:
    """Keep requests sorted by their turns, and count what they ask for.

    They are kept in stretches, so that who looks at all those behind a request need not look at each.
    """

    def __init__(self) -> None:
        """Begin with nobody."""
        self._stretches: list[Stretch] = []  # none is empty
        self._size = 0
        self.work = 0  # steps of hypotheses that all are expected to take
        self.source_tokens = 0

    def __len__(self) -> int:
        """Count those in line."""
        return self._size

    def __iter__(self) -> Iterator[Request]:
        """Iterate over a copy, so that another thread may change the line meanwhile."""
        return iter([request for stretch in list(self._stretches) for request in list(stretch.requests)])

    @property
    def first(self) -> Request | None:
        """Return whose turn it is."""
        return self._stretches[0].requests[0] if self._stretches else None

    def behind(self, request: Request) -> list[Stretch]:
        """List those whose turn comes after that of a request, which is not in line."""
        stretches = self._stretches[self._place(request) :]
        if stretches:
            stretches[0] = stretches[0].behind(request)
        return stretches

    def add(self, request: Request) -> None:
        """Let a request join; turns differ."""
        if self._stretches:
            place = min(self._place(request), len(self._stretches) - 1)
            self._stretches[place].add(request)
            if len(self._stretches[place].requests) > LONGEST:
                self._stretches[place : place + 1] = self._stretches[place].halves()
        else:
            self._stretches.append(Stretch.of([request]))
        self._count(request, 1)

    def remove(self, request: Request) -> bool:
        """Let a request leave; returns whether it was there."""
        place = self._place(request)
        there = place < len(self._stretches) and self._stretches[place].remove(request)
        if there:
            if not self._stretches[place].requests:
                del self._stretches[place]
            self._count(request, -1)
        return there

    def take(self, most: int) -> list[Request]:
        """Let the first leave, as many as there are up to a number; returns them."""
        taken: list[Request] = []
        while self._stretches and len(taken) < most:
            taken += self._stretches[0].take(most - len(taken))
            if not self._stretches[0].requests:
                del self._stretches[0]
        for request in taken:
            self._count(request, -1)
        return taken

    def clear(self) -> None:
        """Let all leave."""
        self._stretches.clear()
        self._size = self.work = self.source_tokens = 0

    def _place(self, request: Request) -> int:
        """Return which stretch is the first with a turn after that of a request, or its own."""
        return bisect_left(self._stretches, request.turn, key=_last_turn)

    def _count(self, request: Request, times: int) -> None:
        self._size += times
        self.work += times * request.work
        self.source_tokens += times * len(request.source_ids)
