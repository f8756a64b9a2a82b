"""Latency at a share of the capacity, with arrivals that wait for nobody, beside that of the same texts one at a time.

python -m benchmarks.open_loop ../shared/data/tatoeba-en-de/test.tsv
python -m benchmarks.open_loop ../shared/data/tatoeba-en-de/test.tsv --checkouts BEFORE --runs 7

Earlier states of the repository take turns with this one, and are offered what it is.
"""

import argparse
import statistics
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import commit, describe_machine
from benchmarks.ours import REPOSITORY, Ours
from benchmarks.peers.peer import Endpoint
from benchmarks.row import Row, load
from benchmarks.texts import draw_texts
from seq2serve.load import ClosedLoop, Extent, Loop, OpenLoop
from seq2serve.load.table import markdown, number

HEAD = (
    *("server", "capacity /s", "alone p50, p99 ms", "offered /s", "cores busy %", "p50, p95, p99 ms"),
    *("p99 of each run", "p99 ratio"),
)


class Measured(NamedTuple):
    """Hold what one server did in one run: with what it was offered, and with the same texts one at a time."""

    capacity: float
    rate: float
    offered: Row
    alone: Row

    @property
    def ratio(self) -> float:
        """Return how many times as long the slowest take under load."""
        assert self.offered.p99
        assert self.alone.p99
        return self.offered.p99 / self.alone.p99


def main() -> None:
    """Print every run, and a table of medians."""
    arguments = _parse()
    texts = draw_texts(arguments.file, arguments.sentences)
    options = tuple(arguments.options.split())
    servers = [Ours("seq2serve", arguments.repository, options=options)]
    for checkout in arguments.checkouts:
        name = f"seq2serve at {commit(checkout)}"
        servers.append(Ours(name, checkout / "model_repository", options=options, root=checkout.resolve()))
    print(describe_machine())
    found: dict[str, list[Measured]] = {server.name: [] for server in servers}
    with ExitStack() as stack:
        endpoints = [stack.enter_context(server.serve()) for server in servers]
        for run in range(arguments.runs):
            capacity: float | None = None
            for server, endpoint in zip(servers, endpoints, strict=True):
                one = _measure(server, endpoint, texts, run, arguments.share, capacity)
                capacity = capacity or one.capacity
                found[server.name].append(one)
                print(f"run {run + 1}: {server.name}: {'; '.join(_cells([one])[:-2])}", flush=True)
    print("\n" + markdown(HEAD, [[name, *_cells(measured)] for name, measured in found.items()]))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="a source, or a source, a tab and a target, per line")
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--share", type=float, default=0.7, help="of the capacity")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    parser.add_argument("--checkouts", type=Path, nargs="*", default=[], help="earlier states of this repository")
    parser.add_argument("--options", default="", help="of our servers")
    return parser.parse_args()


def _measure(
    server: Ours, endpoint: Endpoint, texts: list[str], run: int, share: float, capacity: float | None
) -> Measured:
    """Load a server in all three ways; what it is offered is a share of its own capacity, or of one that is given."""

    def measure(loop: Loop) -> Row:
        row, _ = load(server, endpoint, texts, loop, Extent(requests=len(texts)), warm_up=100, seed=run)
        return row

    own = measure(ClosedLoop(64)).sentences_per_second
    alone, rate = measure(ClosedLoop(1)), share * (capacity or own)
    return Measured(own, rate, measure(OpenLoop(rate)), alone)


def _cells(runs: list[Measured]) -> list[str]:
    """Show medians."""

    def milliseconds(rows: list[Row], *names: str) -> str:
        assert not any(row.failed for row in rows), "requests failed"
        return ", ".join(number(1000 * statistics.median(getattr(row, name) for row in rows)) for name in names)

    offered = [one.offered for one in runs]
    ratios = [one.ratio for one in runs]
    return [
        number(statistics.median(one.capacity for one in runs)),
        milliseconds([one.alone for one in runs], "p50", "p99"),
        number(statistics.median(one.rate for one in runs)),
        number(100 * statistics.median(row.busy for row in offered)),
        milliseconds(offered, "p50", "p95", "p99"),
        " ".join(milliseconds([row], "p99") for row in offered),
        f"{number(statistics.median(ratios))} ({number(min(ratios))} to {number(max(ratios))})",
    ]


if __name__ == "__main__":
    main()
