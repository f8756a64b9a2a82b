"""A server with dynamic batching of requests: what has come meanwhile is decoded together, until the longest is done.

python -m benchmarks.peers.dynamic --bundle model_repository/en-de/1 --threads 2
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from benchmarks.peers.loop import DecodeLoop, Translation
from benchmarks.peers.server import ProcessPeer, Translate, main

MOST = 64  # texts of a batch
DELAY = 0.005  # seconds that a batch waits for more
Decode: TypeAlias = Callable[[Sequence[str]], list[Translation]]


@dataclass
class Batch:
    """Hold texts that are decoded together."""

    texts: list[str] = field(default_factory=list)
    full: asyncio.Event = field(default_factory=asyncio.Event)


class Batcher:
    """Collect texts while the batch before is decoded."""

    def __init__(self, decode: Decode) -> None:
        """Decode batches with a function, on a thread of its own."""
        self._decode = decode
        self._worker = ThreadPoolExecutor(1, "decode")
        self._turn = asyncio.Lock()  # of one batch at a time, first come, first served
        self._open = Batch()
        self._task: asyncio.Task[list[Translation]] | None = None  # of the open batch; none: it is empty

    async def translate(self, text: str) -> Translation:
        """Translate a text with those that come about the same time."""
        batch = self._open
        task = self._task = self._task or asyncio.create_task(self._run(batch))
        batch.texts.append(text)
        row = len(batch.texts) - 1
        if len(batch.texts) == MOST:
            self._close()
        translations = await asyncio.shield(task)  # a caller that goes away takes nobody along
        return translations[row]

    def _close(self) -> None:
        self._open.full.set()
        self._open, self._task = Batch(), None

    async def _run(self, batch: Batch) -> list[Translation]:
        """Wait until a batch is full, or old enough and its turn has come; then decode it."""
        try:
            async with asyncio.timeout(DELAY):
                await batch.full.wait()
        except TimeoutError:
            pass
        async with self._turn:
            if self._open is batch:
                self._close()
            return await asyncio.get_running_loop().run_in_executor(self._worker, self._decode, batch.texts)


def batched(decoder: DecodeLoop) -> Translate:
    """Translate texts in batches."""
    return Batcher(decoder.translate).translate


def dynamic(bundle: Path, threads: int, spinning: bool = False) -> ProcessPeer:
    """Make the peer."""
    return ProcessPeer("Python server, dynamic batching", "benchmarks.peers.dynamic", bundle, threads, spinning)


if __name__ == "__main__":
    main(__doc__, batched)
