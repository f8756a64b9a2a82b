"""CPU seconds that a server takes per 1,000 greedy sentences with metrics, scraped, and without, in turns.

python -m benchmarks.metrics_cost ../shared/data/tatoeba-en-de/test.tsv --pairs 10
"""

import argparse
import asyncio
import random
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.load import closed_loop
from benchmarks.machine import describe_machine
from benchmarks.metrics import scrape
from benchmarks.peers.peer import usage
from tests.server_process import ServerProcess

SCRAPE_SECONDS = 5.0  # as deploy/prometheus has it
OFF = "--no-metrics"


def measure(sentences: list[str], in_flight: int, *flags: str) -> float:
    """Return the CPU seconds per 1,000 sentences of a fresh server, once it is warm."""
    with ServerProcess("--log-level", "warning", *flags) as server:
        asyncio.run(closed_loop(server.address, sentences[:200], in_flight))
        with _scraped(server) if OFF not in flags else _left_alone():
            before = usage(server.process.pid).cpu_seconds
            asyncio.run(closed_loop(server.address, sentences, in_flight))  # which sends them twice
            return (usage(server.process.pid).cpu_seconds - before) / (2 * len(sentences)) * 1000


@contextmanager
def _left_alone() -> Iterator[None]:
    yield


@contextmanager
def _scraped(server: ServerProcess) -> Iterator[None]:
    """Scrape a server as Prometheus would, from now on."""
    over = threading.Event()

    def run() -> None:
        scrape(server.http)
        while not over.wait(SCRAPE_SECONDS):
            scrape(server.http)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def main() -> None:
    """Print every pair, the median ratio and its spread."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="source<TAB>target lines; the sources are sent")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--in-flight", type=int, default=64)
    arguments = parser.parse_args()
    sentences = [line.split("\t")[0] for line in arguments.file.read_text(encoding="utf-8").splitlines()]
    random.Random(1).shuffle(sentences)
    chosen = sentences[: arguments.sentences]
    print(describe_machine())
    ratios = []
    for pair in range(arguments.pairs):
        ways = [(), (OFF,)]
        if pair % 2:  # so that neither always runs on the warmer machine
            ways.reverse()
        seconds = {flags: measure(chosen, arguments.in_flight, *flags) for flags in ways}
        ratios.append(seconds[()] / seconds[OFF,])
        print(
            f"pair {pair + 1}: with metrics {seconds[()]:.3f}, without {seconds[OFF,]:.3f} "
            f"CPU seconds per 1,000 sentences, ratio {ratios[-1]:.3f}",
            flush=True,
        )
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    print(f"median ratio {middle:.3f}, quartiles {low:.3f} and {high:.3f}, of {len(ratios)} pairs")


if __name__ == "__main__":
    main()
