"""Latency at a share of the capacity, with arrivals that wait for nobody, beside that of the same texts one at a time.

python -m benchmarks.open_loop ../shared/data/tatoeba-en-de/test.tsv
"""

import argparse
import statistics
from pathlib import Path

from benchmarks.generator import generate
from benchmarks.machine import describe_machine
from benchmarks.ours import REPOSITORY, Ours
from benchmarks.texts import draw_texts
from seq2serve.load import ClosedLoop, Extent, Loop, OpenLoop, Summary, summarize


def main() -> None:
    """Print capacity, both latencies and their ratio for every run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="a source, or a source, a tab and a target, per line")
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--share", type=float, default=0.7, help="of the capacity")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    parser.add_argument("--options", default="", help="of our server")
    arguments = parser.parse_args()
    texts = draw_texts(arguments.file, arguments.sentences)
    ours = Ours("seq2serve", arguments.repository, options=tuple(arguments.options.split()))
    payloads = [ours.payload(text) for text in texts]
    print(describe_machine())
    ratios = []
    with ours.serve() as endpoint:

        def load(loop: Loop, run: int) -> Summary:
            extent = Extent(requests=len(payloads))
            return summarize(generate(endpoint.address, payloads, loop, extent, warm_up=100, seed=run).run)

        for run in range(arguments.runs):
            capacity = load(ClosedLoop(64), run).throughput
            alone, offered = load(ClosedLoop(1), run), load(OpenLoop(arguments.share * capacity), run)
            assert alone.p50
            assert alone.p99
            assert offered.p50
            assert offered.p99
            ratios.append(offered.p99 / alone.p99)
            print(
                f"capacity {capacity:.0f}/s; one at a time: p50 {1000 * alone.p50:.1f}, p99 {1000 * alone.p99:.1f} ms; "
                f"at {arguments.share * capacity:.0f}/s: p50 {1000 * offered.p50:.1f}, p99 {1000 * offered.p99:.1f} "
                f"ms, failed {offered.failed}; p99 ratio {ratios[-1]:.2f}",
                flush=True,
            )
    print(f"median ratio of p99 {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
