"""Servers that share a machine, loaded at once, as replicas on one host are.

python -m benchmarks.neighbours ../shared/data/multi30k/test_2016_flickr.en.txt
python -m benchmarks.neighbours ../shared/data/multi30k/test_2016_flickr.en.txt --checkouts BEFORE --runs 9

Earlier states of the repository take turns with this one. Whatever a server does to have a core to itself is paid by
the one beside it, most of all where each has so little to do that the machine has room for all.
"""

import argparse
import statistics
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from benchmarks.generator import generate
from benchmarks.machine import commit, describe_machine
from benchmarks.ours import REPOSITORY, Ours
from benchmarks.texts import draw_texts
from seq2serve.load import ClosedLoop, Extent, Summary, summarize
from seq2serve.load.table import markdown, number

HEAD = ("servers", "in flight, each", "sentences/s, all (runs)", "p50 ms", "p95 ms, the slower")


def main() -> None:
    """Print a table of medians."""
    arguments = _parse()
    texts = draw_texts(arguments.file, arguments.sentences)
    states = {"seq2serve": Ours("seq2serve", arguments.repository)}
    for checkout in arguments.checkouts:
        name = f"seq2serve at {commit(checkout)}"
        states[name] = Ours(name, checkout / "model_repository", root=checkout.resolve())
    print(describe_machine())
    loads = [(name, in_flight) for in_flight in arguments.in_flight for name in states]
    found: dict[tuple[str, int], list[list[Summary]]] = {load: [] for load in loads}
    with ExitStack() as stack, ThreadPoolExecutor(arguments.servers) as pool:
        addresses = {
            name: [stack.enter_context(server.serve()).address for _ in range(arguments.servers)]
            for name, server in states.items()
        }
        payloads = [states["seq2serve"].payload(text) for text in texts]

        def measure(address: str, in_flight: int, run: int) -> Summary:
            extent = Extent(seconds=arguments.seconds)
            return summarize(generate(address, payloads, ClosedLoop(in_flight), extent, warm_up=50, seed=run).run)

        for run in range(arguments.runs):
            for name, in_flight in loads:
                each = pool.map(lambda address, n=in_flight, r=run: measure(address, n, r), addresses[name])
                found[name, in_flight].append(list(each))
    print("\n" + markdown(HEAD, [_row(f"{arguments.servers} x {name}", n, found[name, n]) for name, n in loads]))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="a source, or a source, a tab and a target, per line")
    parser.add_argument("--sentences", type=int, default=400, help="to send again and again")
    parser.add_argument("--seconds", type=float, default=5, help="of each server and run, at the same time")
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 2, 32], help="for each server")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    parser.add_argument("--checkouts", type=Path, nargs="*", default=[], help="earlier states of this repository")
    return parser.parse_args()


def _row(servers: str, in_flight: int, runs: list[list[Summary]]) -> tuple[str, ...]:
    """Show the medians of runs, of which each has a summary for every server."""
    assert not any(one.failed for each in runs for one in each), "requests failed"
    together = [sum(one.throughput for one in each) for each in runs]
    middle = statistics.median(one.p50 or 0.0 for each in runs for one in each)
    slower = statistics.median(max(one.p95 or 0.0 for one in each) for each in runs)
    spread = f"{number(statistics.median(together))} ({' '.join(map(number, together))})"
    return servers, str(in_flight), spread, number(1000 * middle), number(1000 * slower)


if __name__ == "__main__":
    main()
