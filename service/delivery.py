"""From a call to the engine, and back to the call."""

import asyncio
import math
import time
from functools import partial

from service.errors import DeadlineExceeded
from service.model import Model
from service.request import Request


class Delivery:
    """Hand requests over, and wait for them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, patience: float = math.inf) -> None:
        """Take the event loop, and the seconds that requests without a deadline have."""
        self._loop, self._patience = loop, patience

    async def complete(self, model: Model, request: Request, news: asyncio.Event | None = None) -> None:
        """Hand a request to its model's engine and wait until it has ended; `news` is set whenever more is certain.

        When the waiting task is cancelled (the client hung up, or its deadline passed), so is the request.

        Raises:
            DeadlineExceeded: its time is over.
            ServiceError: it was refused, or failed.
        """
        done: asyncio.Future[None] = self._loop.create_future()
        request.notify = partial(_tell, done, news)
        left = self.time_left(request)
        model.core.submit(request)
        timer = None if left is None else self._loop.call_later(left, _give_up, done, request)
        try:
            await done
        except (asyncio.CancelledError, DeadlineExceeded):
            model.core.cancel(request)
            raise
        finally:
            if timer is not None:
                timer.cancel()
        if request.error is not None:
            raise request.error

    def time_left(self, request: Request) -> float | None:
        """Return the seconds to a request's deadline, which is the server's where it has none; None: it has for ever.

        gRPC ends calls at the deadlines of clients, but knows nothing of the server's.
        """
        now = time.monotonic()  # which on some systems is not the clock of every event loop
        request.deadline = min(request.deadline, now + self._patience)
        return request.deadline - now if request.deadline < math.inf else None


def late(request: Request) -> DeadlineExceeded:
    """Say that a request's time is over."""
    why = "was not done in time: allow more time, or send it when there is less to do"
    return DeadlineExceeded(f"a request of {len(request.source_ids)} source pieces {why}")


def notify(requests: list[Request]) -> None:
    """Wake who waits for requests; on the event loop."""
    for request in requests:
        request.notify(request)


def _give_up(done: asyncio.Future[None], request: Request) -> None:
    if not done.done():
        done.set_exception(late(request))


def _tell(done: asyncio.Future[None], news: asyncio.Event | None, request: Request) -> None:
    """Wake who waits for a request; it is an argument, as a request that its own callback held would need the GC."""
    if request.finished_at and not done.done():
        done.set_result(None)
    if news is not None:
        news.set()
