"""When requests are sent: after an answer (closed loop), or whatever the answers do (open loop)."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

from seq2serve.load.clock import Clock

Send = Callable[[float], Coroutine[Any, Any, None]]
"""Sends the next request, whose intended start this is, and returns when it has ended."""


@dataclass(frozen=True)
class Extent:
    """How long a load goes on: a number of requests, a time in which they start, or what ends first.

    Raises:
        ValueError: Neither is given.
    """

    requests: float = math.inf
    seconds: float = math.inf

    def __post_init__(self) -> None:
        if math.isinf(self.requests) and math.isinf(self.seconds):
            raise ValueError("a load without requests and seconds has no end: give one of them")

    def covers(self, number: int, at: float) -> bool:
        """Return whether request `number`, from 0, may start `at` seconds after the beginning."""
        return number < self.requests and at < self.seconds


@dataclass(frozen=True)
class ClosedLoop:
    """A fixed number of requests in flight: each answer lets the next request go."""

    in_flight: int

    def __str__(self) -> str:
        return f"{self.in_flight} in flight"

    async def drive(self, send: Send, extent: Extent, clock: Clock, draws: Random) -> None:
        """Send all requests and wait for their ends."""
        starts = self._starts(extent, clock)

        async def worker() -> None:
            for start in starts:
                await send(start)

        async with asyncio.TaskGroup() as group:
            for _ in range(self.in_flight):
                group.create_task(worker())

    def _starts(self, extent: Extent, clock: Clock) -> Iterator[float]:
        for number in itertools.count():
            start = clock.now()
            if not extent.covers(number, start):
                return
            yield start


@dataclass(frozen=True)
class OpenLoop:
    """Requests that arrive as a Poisson process of `rate` per second, as from many independent users.

    They never wait for answers: a server that is too slow gets more and more of them in flight.
    """

    rate: float

    def __str__(self) -> str:
        return f"{self.rate:g}/s"

    def arrivals(self, extent: Extent, draws: Random) -> Iterator[float]:
        """Draw the intended starts, in seconds from the beginning."""
        at = 0.0
        for number in itertools.count():
            at += draws.expovariate(self.rate)
            if not extent.covers(number, at):
                return
            yield at

    async def drive(self, send: Send, extent: Extent, clock: Clock, draws: Random) -> None:
        """Send all requests and wait for their ends."""
        async with asyncio.TaskGroup() as group:
            for arrival in self.arrivals(extent, draws):
                await clock.sleep_until(arrival)
                group.create_task(send(arrival))


Loop: TypeAlias = ClosedLoop | OpenLoop
"""When the requests of a load are sent."""
