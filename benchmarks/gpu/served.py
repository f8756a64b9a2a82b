"""A server on the device, with clients: one call for each sentence, batches, and one sentence alone."""

import asyncio
import statistics
import time
from collections.abc import Sequence

from seq2serve import AsyncClient
from tests.server_process import ServerProcess

BATCH = 256  # sentences of one TranslateBatch call


async def measure_unary(address: str, texts: Sequence[str], in_flight: int) -> float:
    """Return sentences per second with a number of calls in flight, after a round to warm up."""

    async def worker(client: AsyncClient) -> None:
        for text in pending:
            await client.translate(text)

    async with AsyncClient(address) as client:
        for _ in range(2):
            pending = iter(texts)
            started = time.perf_counter()
            await asyncio.gather(*(worker(client) for _ in range(in_flight)))
        return len(texts) / (time.perf_counter() - started)


async def measure_batches(address: str, texts: Sequence[str], in_flight: int) -> float:
    """Return sentences per second in batches, with a number of them in flight, after a round to warm up."""
    batches = [texts[begin : begin + BATCH] for begin in range(0, len(texts), BATCH)]

    async def worker(client: AsyncClient) -> None:
        for batch in pending:
            await client.translate_batch(batch)

    async with AsyncClient(address) as client:
        for _ in range(2):
            pending = iter(batches)
            started = time.perf_counter()
            await asyncio.gather(*(worker(client) for _ in range(in_flight)))
        return len(texts) / (time.perf_counter() - started)


async def measure_alone(address: str, text: str, times: int) -> tuple[float, int]:
    """Return the median seconds of one sentence at a time, and how many pieces its translation has."""
    seconds = []
    async with AsyncClient(address) as client:
        for _ in range(times):
            started = time.perf_counter()
            reply = await client.translate(text, tokens=True)
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[times // 10 :]), len(reply.hypotheses[0].token_ids)


def serve(device: str, slots: int, repository: str) -> ServerProcess:
    """Start a server; its log shows what the device holds."""
    options = ("--device", device, "--slots", str(slots), "--model-repository", repository)
    return ServerProcess(*options, "--queue-limit", "8192", "--queue-tokens", "1000000")
