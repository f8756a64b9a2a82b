"""How much of the engine one call may take at a time, so that a large one neither fills the line nor is refused."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Room:
    """Share a number of places among the requests of one call; first come, first served."""

    def __init__(self, places: int) -> None:
        self._free = self._places = places
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def take(self, places: int) -> AsyncIterator[None]:
        """Hold some places, all of them if fewer exist, while the block runs; waits until they are free."""
        wanted = min(places, self._places)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, turn))
        self._let_in()
        try:
            await turn
            yield
        finally:
            if turn.done() and not turn.cancelled():
                self._free += wanted
            self._let_in()

    def _let_in(self) -> None:
        while self._waiting:
            wanted, turn = self._waiting[0]
            if not turn.done():  # else given up
                if wanted > self._free:
                    return
                self._free -= wanted
                turn.set_result(None)
            self._waiting.popleft()
