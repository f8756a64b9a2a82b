"""Streams that a server waits for before it stops."""

import asyncio

from service.draining import Streams


def test_the_last_stream_to_end_is_waited_for() -> None:
    """Others may end before, and one that opens meanwhile counts, too."""

    async def run() -> None:
        streams = Streams()
        with streams.one():
            waiting = asyncio.create_task(streams.end(60))
            with streams.one():
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert streams
            assert not waiting.done()
        await waiting
        assert not streams

    asyncio.run(run())


def test_patience_ends() -> None:
    """A stream that outlives the patience is left open."""

    async def run() -> None:
        streams = Streams()
        with streams.one():
            await streams.end(0)
            assert streams
        assert not streams

    asyncio.run(run())
