"""What docker-compose.yml does under load: replicas, a slow one, a killed one.

python -m benchmarks.stack ../shared/data/tatoeba-en-de/test.tsv

Every replica has a fixed share of a core, which Docker enforces, so that client, balancer and replicas can share a
machine. Needs Docker; starts the stack under a name of its own and takes it away again.
"""

import argparse
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.generator import generate
from benchmarks.machine import describe_machine
from benchmarks.stack_kill import seconds_until_back
from seq2serve.load import ClosedLoop, Extent, Loop, OpenLoop, Run, Summary, percentile, summarize
from seq2serve.v1 import translation_pb2
from tests.compose_stack import ComposeStack, missing
from tests.e2e.counts import handled

PROJECT = "seq2serve-bench"
SERVICES = ("loadbalancer",)
WARM_UP = 100  # calls


class Bench:
    """Measure a stack with the same sentences each time."""

    def __init__(self, texts: Sequence[str], seconds: float, cpus: float) -> None:
        self.payloads = [translation_pb2.TranslateRequest(text=text).SerializeToString() for text in texts]
        self.seconds, self.cpus = seconds, cpus

    def stack(self, agent: bool = True) -> ComposeStack:
        """Return a stack whose replicas answer agent checks, or do not."""
        variables = {"SERVER_CPUS": f"{self.cpus:g}", **({} if agent else {"AGENT_ADDRESS": ""})}
        return ComposeStack(PROJECT, SERVICES, **variables)

    def load(self, stack: ComposeStack, loop: Loop, extent: Extent | None = None) -> Run:
        """Load the stack by way of the balancer, over one connection."""
        extent = extent or Extent(seconds=self.seconds)
        return generate(stack.address, self.payloads, loop, extent, warm_up=WARM_UP).run


def spread(bench: Bench) -> None:
    """Print how 1,000 calls of one channel are spread over three replicas."""
    with bench.stack() as stack:
        stack.scale(3)
        before = handled(stack)
        run = generate(stack.address, bench.payloads, ClosedLoop(8), Extent(requests=1000)).run
        counts = [int(count - before[replica]) for replica, count in handled(stack).items()]
    print(f"one channel, 1,000 calls, 8 in flight: {counts}; {figures(run)}", flush=True)


def scaling(bench: Bench) -> None:
    """Print the throughput of one replica and of three."""
    rates: dict[int, list[float]] = {1: [], 3: []}
    with bench.stack() as stack:
        for _ in range(3):
            for replicas, found in rates.items():
                stack.scale(replicas)
                run = bench.load(stack, ClosedLoop(16 * replicas))
                found.append(summarize(run).throughput)
                print(f"{replicas} of {bench.cpus:g} CPU, {16 * replicas} in flight: {figures(run)}", flush=True)
    one, three = (statistics.median(found) for found in rates.values())
    print(f"medians {one:.1f} and {three:.1f}/s: {three / one:.2f} times the throughput", flush=True)


def slow(bench: Bench) -> None:
    """Print latencies with and without a replica that is throttled to a tenth, with and without weights."""
    for agent in (False, True):
        name = "weights by agent check" if agent else "leastconn alone"
        with bench.stack(agent) as stack:
            stack.scale(3)
            capacity = summarize(bench.load(stack, ClosedLoop(24))).throughput
            loops: list[Loop] = [ClosedLoop(12), ClosedLoop(24), OpenLoop(round(capacity / 2))]
            well = [bench.load(stack, loop) for loop in loops]
            throttled = stack.ids()[0]
            stack.docker("update", "--cpus", f"{bench.cpus / 10:g}", throttled)
            bench.load(stack, ClosedLoop(12))  # the server learns how long its steps take
            for loop, before in zip(loops, well, strict=True):
                counted = handled(stack)
                after = bench.load(stack, loop)
                calls = {replica: count - counted[replica] for replica, count in handled(stack).items()}
                share = calls[throttled] / sum(calls.values())
                ratios = ", ".join(f"p{n} {at(after, n) / at(before, n):.2f}" for n in (50, 90, 95, 99))
                print(f"{name}, {loop}: well: {figures(before)}\n  one throttled: {figures(after)}", flush=True)
                print(f"  ratios: {ratios}; the throttled one had {share:.1%} of the calls", flush=True)


def killed(bench: Bench) -> None:
    """Print how long a killed replica is away, under load, and what that costs a client that retries."""
    with bench.stack() as stack:
        stack.scale(3)
        for _ in range(3):
            seconds, answered, failures = seconds_until_back(stack)
            print(f"kill -9: calls again after {seconds:.1f} s; {answered} answered, failed {failures}", flush=True)


def at(run: Run, percent: int) -> float:
    """Return a percentile of the latency, in seconds."""
    samples = run.samples
    return percentile(sorted(e - i for i, e in zip(samples.intended, samples.end, strict=True)), percent) or 0.0


def figures(run: Run) -> str:
    """Return the figures of a run in a line."""
    summary: Summary = summarize(run)
    times = ", ".join(f"p{n} {1000 * at(run, n):.0f}" for n in (50, 90, 95, 99))
    return (
        f"{summary.throughput:.1f}/s, {times} ms, failed {summary.failed}, "
        f"generator {summary.cpu_seconds / summary.wall_seconds:.2f} cores"
    )


ROWS: dict[str, Callable[[Bench], None]] = {"spread": spread, "scaling": scaling, "slow": slow, "killed": killed}


def main() -> int:
    """Print the rows; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="a source, or a source, a tab and a target, per line")
    parser.add_argument("--sentences", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20, help="of each run")
    parser.add_argument("--cpus", type=float, default=0.5, help="of each replica")
    parser.add_argument("--only", nargs="*", choices=list(ROWS), default=list(ROWS))
    arguments = parser.parse_args()
    if reason := missing(SERVICES):
        print(f"error: {reason}", file=sys.stderr)
        return 1
    texts = [line.split("\t")[0] for line in arguments.file.read_text(encoding="utf-8").splitlines()]
    random.Random(1).shuffle(texts)
    bench = Bench(texts[: arguments.sentences], arguments.seconds, arguments.cpus)
    print(describe_machine())
    for row in arguments.only:
        ROWS[row](bench)
    return 0


if __name__ == "__main__":
    sys.exit(main())
