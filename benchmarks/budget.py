"""What a sentence takes of the processors, part by part, and how many sentences that leaves room for.

python -m benchmarks.budget ../shared/data/multi30k/test_2016_flickr.en.txt
python -m benchmarks.budget ../shared/data/tatoeba-en-de/test.tsv --in-flight 16 --runs 5

gRPC alone is a Python server that answers the same load at once. The offline loop has our graphs and no server, and
translates batches of 64 sorted by length. What these two and the generator take bounds what a server in Python can
reach with these graphs, whatever it does in between.
"""

import argparse
import os
import statistics
from pathlib import Path

from benchmarks.library_row import measure_offline
from benchmarks.machine import describe_machine
from benchmarks.ours import REPOSITORY, Ours
from benchmarks.peers.echo import bare
from benchmarks.peers.peer import Endpoint, Peer, children, usage
from benchmarks.row import Row, load
from benchmarks.texts import draw_texts
from seq2serve.load import ClosedLoop, Extent
from seq2serve.load.table import markdown, number

PARTS = ("generator", "server's process", "of it gRPC alone", "engine's process", "of it the offline loop")
WARM_UP = 300  # sentences
HEAD = ("", "sentences/s (runs)", *PARTS, "cores busy %", "at most /s")


def main() -> None:
    """Print a table of medians in CPU milliseconds a sentence, a line for each precision."""
    arguments = _parse()
    texts, bundle, cores = draw_texts(arguments.file, arguments.sentences), REPOSITORY / "en-de" / "1", os.cpu_count()
    assert cores
    title = f"{len(texts)} sentences of {arguments.file.parent.name}/{arguments.file.name}"
    print(f"{title}, {arguments.in_flight} in flight, medians of {arguments.runs} runs. {describe_machine()}\n")
    found: dict[str, list[dict[str, float]]] = {precision: [] for precision in arguments.precisions}
    for run in range(arguments.runs):
        for precision, runs in found.items():
            grpc, _, _ = _measure(bare(), texts, arguments.in_flight, run)
            ours = Ours("seq2serve", options=("--precision", precision))
            row, server, engine = _measure(ours, texts, arguments.in_flight, run)
            offline = measure_offline(arguments.file, len(texts), bundle, cores, precision, "dropping")
            assert row.generator_share is not None
            generator = 1000 * cores * row.generator_share / row.sentences_per_second
            most = 1000 * cores / (generator + grpc.cpu_per_thousand + offline.cpu_per_thousand)
            parts = (generator, server, grpc.cpu_per_thousand, engine, offline.cpu_per_thousand)
            runs.append(dict(zip(HEAD[1:], (row.sentences_per_second, *parts, 100 * row.busy, most), strict=True)))
            print(f"run {run + 1}: {precision}: {number(row.sentences_per_second)} sentences/s", flush=True)
    print("\n" + markdown(HEAD, [_cells(precision, runs) for precision, runs in found.items()]))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="a source, or a source, a tab and a target, per line")
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--precisions", nargs="+", default=("int8", "fp32"))
    return parser.parse_args()


def _measure(peer: Peer, texts: list[str], in_flight: int, run: int) -> tuple[Row, float, float]:
    """Load a server; returns what it did, and the CPU milliseconds a sentence of it and of the processes it began."""
    loop, warm = ClosedLoop(in_flight), Extent(requests=WARM_UP)
    with peer.serve() as endpoint:
        load(peer, endpoint, texts, loop, warm, warm_up=0, seed=run)
        before = _processes(endpoint)
        row, _ = load(peer, endpoint, texts, loop, Extent(requests=len(texts)), warm_up=0, seed=run)
        own, others = (1000 * (b - a) / len(texts) for a, b in zip(before, _processes(endpoint), strict=True))
    return row, own, others


def _processes(endpoint: Endpoint) -> tuple[float, float]:
    """Return the CPU seconds of a server's own process, and of those that it has begun."""
    others = sum(usage(pid).cpu_seconds for pid in children(endpoint.pid))
    return usage(endpoint.pid).cpu_seconds - others, others


def _cells(precision: str, runs: list[dict[str, float]]) -> list[str]:
    """Show medians, and the throughput of each run."""
    middle = {name: statistics.median(one[name] for one in runs) for name in runs[0]}
    rates = " ".join(number(one[HEAD[1]]) for one in runs)
    rate, *others = map(number, middle.values())
    return [precision, f"{rate} ({rates})", *others]


if __name__ == "__main__":
    main()
