"""Streams when a server shuts down: it ends those that have no end, and waits until they are closed."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from service.errors import Draining


class Streams:
    """Know whether streams are open whose clients may be writing."""

    def __init__(self) -> None:
        self._open = 0
        self._none = asyncio.Event()
        self._none.set()

    def __bool__(self) -> bool:
        """Tell whether there is one."""
        return self._open > 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Be open for the length of the block."""
        self._open += 1
        self._none.clear()
        try:
            yield
        finally:
            self._open -= 1
            if not self._open:
                self._none.set()

    async def end(self, patience: float) -> None:
        """Wait until there is none, for `patience` seconds at most."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._none.wait(), patience)


async def read_until_drained(read: Callable[[], Coroutine[Any, Any, None]], draining: asyncio.Event) -> None:
    """Run `read`, which reads a stream, to its end or until the server shuts down.

    Raises:
        Draining: the server is shutting down, and the stream was not at its end.
    """
    reader, stopping = asyncio.create_task(read()), asyncio.create_task(draining.wait())
    try:
        await asyncio.wait((reader, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        reader.cancel()  # which what has ended does not notice
        stopping.cancel()
        (failed,) = await asyncio.gather(reader, return_exceptions=True)
    if isinstance(failed, asyncio.CancelledError) and draining.is_set():
        raise Draining("the server is shutting down: send what was not answered to another replica")
    if failed:
        raise failed
