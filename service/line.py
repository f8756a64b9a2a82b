"""Who waits for slots, in the order of their turns."""

from bisect import bisect_left, insort
from collections.abc import Iterator

from service.request import Request


class Line:
    """Keep requests sorted by their turns, and count what they ask for."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._requests: list[Request] = []
        self.work = 0  # steps of hypotheses that all are expected to take
        self.source_tokens = 0

    def __len__(self) -> int:
        """Count those in line."""
        return len(self._requests)

    def __iter__(self) -> Iterator[Request]:
        """Iterate over a copy, so that another thread may change the line meanwhile."""
        return iter(list(self._requests))

    @property
    def first(self) -> Request | None:
        """Return whose turn it is."""
        return self._requests[0] if self._requests else None

    def behind(self, request: Request) -> list[Request]:
        """List those whose turn comes after that of a request, which is not in line."""
        return self._requests[bisect_left(self._requests, request.turn, key=_turn) :]

    def add(self, request: Request) -> None:
        """Let a request join; turns differ."""
        insort(self._requests, request, key=_turn)
        self._count(request, 1)

    def remove(self, request: Request) -> bool:
        """Let a request leave; returns whether it was there."""
        place = bisect_left(self._requests, request.turn, key=_turn)
        there = place < len(self._requests) and self._requests[place] is request
        if there:
            del self._requests[place]
            self._count(request, -1)
        return there

    def take(self, most: int) -> list[Request]:
        """Let the first leave, as many as there are up to a number; returns them."""
        taken = self._requests[:most]
        del self._requests[:most]
        for request in taken:
            self._count(request, -1)
        return taken

    def clear(self) -> None:
        """Let all leave."""
        self._requests.clear()
        self.work = self.source_tokens = 0

    def _count(self, request: Request, times: int) -> None:
        self.work += times * request.work
        self.source_tokens += times * len(request.source_ids)


def _turn(request: Request) -> tuple[float, int]:
    return request.turn
