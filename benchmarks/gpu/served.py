"""A server on the device, with clients: one call for each sentence, batches, and one sentence alone."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from seq2serve import AsyncClient
from tests.server_process import ServerProcess

BATCH = 256  # sentences of one TranslateBatch call


async def measure_unary(address: str, texts: Sequence[str], in_flight: int) -> float:
    """Return sentences per second with a number of calls in flight, after a round to warm up."""
    async with AsyncClient(address) as client:
        return len(texts) / await _second_round(client.translate, texts, in_flight)


async def measure_batches(address: str, texts: Sequence[str], in_flight: int) -> float:
    """Return sentences per second in batches, with a number of them in flight, after a round to warm up."""
    batches = [texts[begin : begin + BATCH] for begin in range(0, len(texts), BATCH)]
    async with AsyncClient(address) as client:
        return len(texts) / await _second_round(client.translate_batch, batches, in_flight)


async def _second_round(call: Callable[[Any], Awaitable[object]], items: Sequence[object], in_flight: int) -> float:
    """Call with each item, a number of calls in flight, twice; returns the seconds of the second round."""
    seconds = 0.0
    for _ in range(2):
        pending = iter(items)

        async def worker(pending: Iterator[object] = pending) -> None:
            for item in pending:
                await call(item)

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        seconds = time.perf_counter() - started
    return seconds


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
