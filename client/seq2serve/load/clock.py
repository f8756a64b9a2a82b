"""The time of a run, and an event loop that keeps it."""

from __future__ import annotations

import asyncio
import selectors
import time


class Clock:
    """Counts seconds from its making on."""

    def __init__(self) -> None:
        self._begin = time.perf_counter()

    def now(self) -> float:
        """Return the seconds since the beginning."""
        return time.perf_counter() - self._begin

    async def sleep_until(self, at: float) -> None:
        """Wait until the clock shows `at`; return at once where that is past."""
        if (wait := at - self.now()) > 0:
            await asyncio.sleep(wait)


def event_loop() -> asyncio.AbstractEventLoop:
    """Make an event loop for a load, to be given to `asyncio.Runner`.

    The usual one waits with epoll, in whole milliseconds, rounded up: every arrival of an open loop would be late.
    """
    return asyncio.SelectorEventLoop(selectors.SelectSelector())
