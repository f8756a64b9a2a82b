"""Many texts through one call: sent while the results come, but never far ahead of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable, Iterator
from typing import Any

import grpc

from seq2serve.errors import InternalError
from seq2serve.outcome import BulkResult
from seq2serve.source import Item
from seq2serve.status import our_errors
from seq2serve.v1 import translation_pb2

# Enough to fill a server's slots and the line before them; more would only wait there.
IN_FLIGHT = 256

_Build = Callable[[Item], translation_pb2.TranslateRequest]


def checked(in_flight: int) -> int:
    """Return a number of texts that can be in flight."""
    if in_flight < 1:
        raise ValueError(f"in_flight={in_flight}: less than 1")
    return in_flight


class _Ledger:
    """What was sent and what came back; the sender writes one side, the receiver the other."""

    def __init__(self) -> None:
        self.sent = 0
        self.answered = 0
        self.complete = False
        self.problem: BaseException | None = None

    def check(self) -> None:
        """Raise what the input raised, or that the server did not answer everything."""
        if self.problem is not None:
            raise self.problem
        if not self.complete or self.answered < self.sent:
            raise InternalError(f"the server ended the stream after {self.answered} of {self.sent} texts or more")


class _Window(_Ledger):
    """Lets the sender's thread run ahead of the results by so many texts and no further."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._free = threading.Semaphore(size)
        self._closed = False

    def enter(self) -> bool:
        """Wait until one more may be sent; False when none will be."""
        self._free.acquire()
        if self._closed:
            return False
        self.sent += 1
        return True

    def leave(self) -> None:
        """Count a result."""
        self.answered += 1
        self._free.release()

    def close(self) -> None:
        """Turn the sender away, if it waits or comes again."""
        self._closed = True
        self._free.release()


def bulk_results(
    open_call: Callable[[Iterator[translation_pb2.TranslateRequest]], Any],
    items: Iterable[Item],
    build: _Build,
    in_flight: int,
    address: str,
) -> Generator[BulkResult, None, None]:
    """Send the items and yield the results as they are done; closing the generator cancels the call."""
    window = _Window(in_flight)
    call = open_call(_requests(items, build, window))
    # An error keeps this frame alive, and must not keep the input open.
    del items
    try:
        with our_errors(address):
            for message in call:
                window.leave()
                yield BulkResult.from_message(message)
    finally:
        call.cancel()
        window.close()
    window.check()


def _requests(items: Iterable[Item], build: _Build, window: _Window) -> Iterator[translation_pb2.TranslateRequest]:
    # Runs in a thread of gRPC's, which would print what is raised here and forget it.
    try:
        for item in items:
            request = build(item)
            if not window.enter():
                return
            yield request
    except GeneratorExit:  # the call is over
        raise
    except BaseException as problem:  # an input may exit: nobody would hear of it in this thread, or end the call
        window.problem = problem
    window.complete = True


async def async_bulk_results(
    open_call: Callable[
        [], grpc.aio.StreamStreamCall[translation_pb2.TranslateRequest, translation_pb2.TranslateResult]
    ],
    items: Iterable[Item] | AsyncIterable[Item],
    build: _Build,
    in_flight: int,
    address: str,
) -> AsyncGenerator[BulkResult, None]:
    """Do for asyncio what `bulk_results` does."""
    ledger, free = _Ledger(), asyncio.Semaphore(in_flight)

    async def send() -> None:
        try:
            async for item in _each(items):
                request = build(item)
                await free.acquire()
                ledger.sent += 1
                try:
                    await call.write(request)
                except (grpc.RpcError, asyncio.InvalidStateError):
                    return  # the receiver raises what ended the call
        except asyncio.CancelledError as problem:
            if _is_cancelled():  # the receiver is done with it
                raise
            ledger.problem = problem  # the input's own: it awaited what was cancelled
        except GeneratorExit:  # the loop is over
            raise
        except BaseException as problem:
            ledger.problem = problem
        ledger.complete = True
        await call.done_writing()

    call = open_call()
    sender = asyncio.create_task(send())
    try:
        with our_errors(address):
            async for message in call:
                ledger.answered += 1
                free.release()
                yield BulkResult.from_message(message)
    finally:
        call.cancel()
        sender.cancel()
    ledger.check()


def _is_cancelled() -> bool:
    """Tell whether somebody cancels the task. Its own frame must not hold it, or an error keeps the input open."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _each(items: Iterable[Item] | AsyncIterable[Item]) -> AsyncGenerator[Item, None]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
