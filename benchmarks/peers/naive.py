"""A server as it is often written first: one request at a time.

python -m benchmarks.peers.naive --bundle model_repository/en-de/1 --threads 2
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.peers.loop import DecodeLoop, Translation
from benchmarks.peers.server import ProcessPeer, Translate, main


def one_at_a_time(decoder: DecodeLoop) -> Translate:
    """Translate each text alone, in the order they come."""
    worker = ThreadPoolExecutor(1, "decode")

    async def translate(text: str) -> Translation:
        (found,) = await asyncio.get_running_loop().run_in_executor(worker, decoder.translate, [text])
        return found

    return translate


def naive(bundle: Path, threads: int, spinning: bool = False) -> ProcessPeer:
    """Make the peer."""
    return ProcessPeer("Python server, one request at a time", "benchmarks.peers.naive", bundle, threads, spinning)


if __name__ == "__main__":
    main(__doc__, one_at_a_time)
