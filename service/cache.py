"""Requests that were answered before, and those that somebody else is being answered."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from service.deadline import due
from service.delivery import Delivery, late
from service.model import Model
from service.options import SearchOptions
from service.request import Request, Status
from service.search.hypothesis import FinishReason, Hypothesis

LATER = 0.3  # seconds by which one may be due later than another and serve it, too; gRPC rounds deadlines as much

Key: TypeAlias = tuple[str, str, bytes, SearchOptions]


@dataclass(frozen=True)
class _Answer:
    hypotheses: tuple[Hypothesis, ...]
    steps: int
    mean_batch_size: float
    finish_reason: FinishReason | None


@dataclass(frozen=True)
class _Search:
    due: float
    over: asyncio.Future[None]
    earlier: "_Search | None"  # of who is less urgent


class Cache:
    """Complete requests as a delivery does, those that are alike in one go and from memory.

    Alike are the same pieces with the same options for the same bundle in the same precision: results are the same bits
    in any company. Streams and samples are passed on.
    """

    def __init__(self, delivery: Delivery, entries: int, count: Callable[[str], None]) -> None:
        """Keep so many answers, the latest used; `count` is told of each request: `hit`, `shared` or `miss`."""
        self._delivery, self._entries, self._count = delivery, entries, count
        self._answers: OrderedDict[Key, _Answer] = OrderedDict()
        self._searching: dict[Key, _Search] = {}

    async def complete(self, model: Model, request: Request, news: asyncio.Event | None = None) -> None:
        """Hand a request to its model's engine unless its answer is known, or awaited by somebody as urgent.

        Raises:
            ServiceError: it was refused, or failed.
        """
        if request.streams or request.options.sampling:
            return await self._delivery.complete(model, request, news)
        key = (model.digest, model.facts.precision, request.source_ids.tobytes(), request.options)
        outcome = "hit"
        while key not in self._answers and (search := self._searching.get(key)):
            left = self._delivery.time_left(request)
            if search.due > _due(request) + LATER:  # whose turn comes later
                break
            outcome = "shared"
            # Which may fail: then the next of those who wait searches.
            over, _ = await asyncio.wait([search.over], timeout=left)
            if not over:
                raise late(request)
        if answer := self._answers.get(key):
            self._answers.move_to_end(key)
            self._count(outcome)
            _finish(request, answer)
            return None
        self._count("miss")
        await self._search(key, model, request, news)
        return None

    async def _search(self, key: Key, model: Model, request: Request, news: asyncio.Event | None) -> None:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        search = self._searching[key] = _Search(_due(request), over, self._searching.get(key))
        try:
            await self._delivery.complete(model, request, news)
            self._answers[key] = _Answer(
                tuple(request.hypotheses), request.steps, request.mean_batch_size, request.finish_reason
            )
            if len(self._answers) > self._entries:
                self._answers.popitem(last=False)
        finally:
            over.set_result(None)
            if self._searching.get(key) is search:  # else somebody more urgent goes on
                self._resume(key, search.earlier)

    def _resume(self, key: Key, search: _Search | None) -> None:
        """Let the last search of a key that is not over be shared from now on, if there is one."""
        while search and search.over.done():
            search = search.earlier
        if search:
            self._searching[key] = search
        else:
            del self._searching[key]


def _due(request: Request) -> float:
    return due(request.deadline, request.priority, time.monotonic())


def _finish(request: Request, answer: _Answer) -> None:
    request.hypotheses, request.finish_reason = list(answer.hypotheses), answer.finish_reason
    request.steps, request.mean_batch_size = answer.steps, answer.mean_batch_size
    now = time.monotonic()
    request.taken_at = request.encoded_at = request.joined_at = request.first_token_at = request.finished_at = now
    request.status, request.cached = Status.FINISHED, True
