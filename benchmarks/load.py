"""Throughput of continuous batching against one slot, and the server's memory over 10,000 requests.

python -m benchmarks.load ../shared/data/tatoeba-en-de/test.tsv
"""

import argparse
import asyncio
import statistics
import time
from pathlib import Path

from benchmarks.metrics import resident_bytes, scrape
from benchmarks.texts import draw_texts
from seq2serve import AsyncClient
from tests.server_process import ServerProcess

DECODE_SUM, DECODE_COUNT = "seq2serve_batch_size_sum{decode}", "seq2serve_batch_size_count{decode}"


async def closed_loop(address: str, sentences: list[str], in_flight: int) -> float:
    """Translate all sentences with a fixed number of calls in flight; returns sentences per second."""
    pending = iter(sentences)

    async def worker(client: AsyncClient) -> None:
        for sentence in pending:
            await client.translate(sentence)

    async with AsyncClient(address) as client:
        await asyncio.gather(*(worker(client) for _ in range(in_flight)))  # connects and warms up
        pending = iter(sentences)
        started = time.perf_counter()
        await asyncio.gather(*(worker(client) for _ in range(in_flight)))
        return len(sentences) / (time.perf_counter() - started)


def measure(slots: int, sentences: list[str], in_flight: int) -> tuple[float, float]:
    """Return sentences per second and the mean decode batch of a fresh server."""
    with ServerProcess("--slots", str(slots), "--log-level", "warning") as server:
        rate = asyncio.run(closed_loop(server.address, sentences, in_flight))
        after = scrape(server.http)
        return rate, after[DECODE_SUM] / after[DECODE_COUNT]


def memory(sentences: list[str], in_flight: int) -> dict[int, float]:
    """Return the resident memory of one server, in MB, after 2,000 and after 10,000 requests."""
    resident = {}
    with ServerProcess() as server:
        done = 0
        for goal in (2000, 10_000):
            half = (goal - done) // 2  # closed_loop sends its sentences twice
            batch = (sentences * (1 + half // len(sentences)))[:half]
            asyncio.run(closed_loop(server.address, batch, in_flight))
            done = goal
            resident[goal] = resident_bytes(scrape(server.http)) / 1e6
    return resident


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="source<TAB>target lines; the sources are sent")
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    sentences = draw_texts(arguments.file)
    rates: dict[int, list[float]] = {arguments.in_flight: [], 1: []}
    for run in range(arguments.runs):
        for slots in rates:
            rate, batch = measure(slots, sentences[: arguments.sentences], arguments.in_flight)
            rates[slots].append(rate)
            print(f"run {run + 1}, {slots:3} slots: {rate:7.1f} sentences/s, mean decode batch {batch:.1f}", flush=True)
    ratios = [many / one for many, one in zip(rates[arguments.in_flight], rates[1], strict=True)]
    print(f"median ratio {statistics.median(ratios):.2f}")
    for count, megabytes in memory(sentences, arguments.in_flight).items():
        print(f"resident memory after {count:6} requests: {megabytes:.1f} MB")


if __name__ == "__main__":
    main()
