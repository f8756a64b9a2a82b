"""Who shares a search waits no longer than without."""

import asyncio
import math
import time
from types import SimpleNamespace
from typing import Any, cast

import numpy
import pytest

from service.cache import Cache
from service.delivery import Delivery
from service.model import Model
from service.options import SearchOptions
from service.request import Request

MODEL = cast(Model, SimpleNamespace(digest="d", facts=SimpleNamespace(precision="int8")))


class Engines(Delivery):
    """Stand for the engines, which are done with a request when told so."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self.asked: list[Request] = []
        self._may: dict[int, asyncio.Event] = {}

    async def complete(self, model: Model, request: Request, news: asyncio.Event | None = None) -> None:
        """Wait until a request may be done."""
        self.asked.append(request)
        self._may[id(request)] = may = asyncio.Event()
        await may.wait()
        request.steps = len(self.asked)

    def finish(self, request: Request) -> None:
        """Let a request be done."""
        self._may[id(request)].set()


def alike(priority: int = 0, deadline: float = math.inf) -> Request:
    """Make a request that differs from others in its urgency alone."""
    ids = numpy.arange(5)
    return Request(ids, SearchOptions(max_length=9), priority=priority, deadline=time.monotonic() + deadline)


async def started(cache: Cache, *requests: Request) -> list["asyncio.Task[None]"]:
    """Hand requests over, one after the other."""
    tasks = []
    for request in requests:
        tasks.append(asyncio.create_task(cache.complete(MODEL, request)))
        await asyncio.sleep(0)
    return tasks


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ({}, {}, True),
        ({"priority": 1}, {}, True),
        ({"priority": -1}, {}, False),
        ({"deadline": 5}, {"deadline": 9}, True),
        ({"deadline": 9}, {"deadline": 5}, False),
        ({"deadline": 9}, {}, True),
        ({"deadline": 9}, {"deadline": 29, "priority": 1}, True),
        ({"deadline": 9}, {"deadline": 16, "priority": 1}, False),
        ({}, {"deadline": 5}, False),
    ],
)
def test_who_is_more_urgent_shares_no_search(first: Any, second: Any, shared: bool) -> None:
    """Else it would wait for the turn of another."""

    async def run() -> None:
        counts: list[str] = []
        engines = Engines()
        cache, one, other = Cache(engines, 10, counts.append), alike(**first), alike(**second)
        tasks = await started(cache, one, other)
        assert engines.asked == ([one] if shared else [one, other])
        engines.finish(engines.asked[-1])
        await tasks[-1]  # the first may still be searched for
        engines.finish(one)
        await asyncio.gather(*tasks)
        assert counts == (["miss", "shared"] if shared else ["miss", "miss"])
        (hit,) = await started(cache, alike(**second))
        assert hit.done()

    asyncio.run(run())


@pytest.mark.parametrize("first_ends", [0, 1])
def test_the_next_shares_the_most_urgent_search(first_ends: int) -> None:
    """Whichever of two searches ends first, nobody is forgotten."""

    async def run() -> None:
        engines = Engines()
        cache = Cache(engines, 10, lambda outcome: None)
        requests = [alike(priority=-1), alike(), alike()]
        tasks = await started(cache, *requests)
        assert engines.asked == requests[:2]
        engines.finish(requests[first_ends])
        await tasks[first_ends]
        engines.finish(requests[1 - first_ends])
        await asyncio.gather(*tasks)
        assert [request.cached for request in requests] == [False, False, True]

    asyncio.run(run())


def test_who_is_less_urgent_is_shared_again_once_the_other_is_gone() -> None:
    """A search that goes on is not begun once more because somebody more urgent has hung up."""

    async def run() -> None:
        engines = Engines()
        cache = Cache(engines, 10, lambda outcome: None)
        one, urgent, next_one = alike(), alike(priority=1), alike()
        first, second = await started(cache, one, urgent)
        second.cancel()
        await asyncio.wait([second])
        (third,) = await started(cache, next_one)
        assert engines.asked == [one, urgent]
        engines.finish(one)
        await asyncio.gather(first, third)
        assert next_one.cached

    asyncio.run(run())
