"""From the engine's thread to the event loop: one hop a step, however many requests ended in it."""

import asyncio
from functools import partial

from service.engine import Engine
from service.request import Request


class Delivery:
    """Bring ended requests back to the coroutines that wait for them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def deliver(self, requests: list[Request]) -> None:
        """Settle requests on the event loop; called by engines, from their threads."""
        self._loop.call_soon_threadsafe(_settle, requests)

    async def complete(self, engine: Engine, request: Request) -> None:
        """Hand a request to an engine and wait until it has ended.

        When the waiting task is cancelled (the client hung up, or its deadline passed), so is the request.

        Raises:
            ServiceError: it was refused, or failed.
        """
        done: asyncio.Future[None] = self._loop.create_future()
        request.settle = partial(_resolve, done)
        engine.submit(request)
        try:
            await done
        except asyncio.CancelledError:
            engine.cancel(request)
            raise
        if request.error is not None:
            raise request.error


def _settle(requests: list[Request]) -> None:
    for request in requests:
        request.settle()


def _resolve(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
