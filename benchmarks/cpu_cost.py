"""CPU seconds that the server of another checkout and this one's take per 1,000 greedy sentences, in turns.

python -m benchmarks.cpu_cost ../before ../shared/data/tatoeba-en-de/test.tsv --pairs 10
"""

import argparse
import asyncio
import statistics
from pathlib import Path

from benchmarks.load import closed_loop
from benchmarks.metrics import cpu_seconds, scrape
from benchmarks.texts import draw_texts
from tests.server_process import ROOT, ServerProcess


def measure(root: Path, sentences: list[str], in_flight: int) -> float:
    """Return the CPU seconds per 1,000 sentences of a checkout's fresh server and its own model, once it is warm."""
    with ServerProcess("--log-level", "warning", root=root) as server:
        asyncio.run(closed_loop(server.address, sentences[:200], in_flight))
        before = cpu_seconds(scrape(server.http))
        asyncio.run(closed_loop(server.address, sentences, in_flight))  # which sends them twice
        return (cpu_seconds(scrape(server.http)) - before) / (2 * len(sentences)) * 1000


def main() -> None:
    """Print every pair, the median ratio and its spread."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path, help="a checkout, such as git worktree makes")
    parser.add_argument("file", type=Path, help="source<TAB>target lines; the sources are sent")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--in-flight", type=int, default=64)
    arguments = parser.parse_args()
    sentences = draw_texts(arguments.file)
    ratios = []
    for pair in range(arguments.pairs):
        roots = [arguments.before.resolve(), ROOT]
        if pair % 2:  # so that neither always runs on the warmer machine
            roots.reverse()
        seconds = {root: measure(root, sentences[: arguments.sentences], arguments.in_flight) for root in roots}
        ratios.append(seconds[ROOT] / seconds[arguments.before.resolve()])
        print(
            f"pair {pair + 1}: before {seconds[arguments.before.resolve()]:.3f}, after {seconds[ROOT]:.3f} "
            f"CPU seconds per 1,000 sentences, ratio {ratios[-1]:.3f}",
            flush=True,
        )
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"median ratio {middle:.3f}, quartiles {low:.3f} and {high:.3f}, of {len(ratios)} pairs")


if __name__ == "__main__":
    main()
