"""Streams without end, which a server that shuts down must not wait for."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from service.errors import Draining


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
