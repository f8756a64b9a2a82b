"""Where the time of most requests goes, and that of the slowest: stages as replies tell them, around each percentile.

python -m benchmarks.slowest ../shared/data/multi30k/test_2016_flickr.en.txt --in-flight 64 --options "--precision fp32"
python -m benchmarks.slowest ../shared/data/tatoeba-en-de/test.tsv --rate 1000
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.generator import generate
from benchmarks.machine import describe_machine
from benchmarks.ours import Ours
from benchmarks.texts import draw_texts
from seq2serve.load import ClosedLoop, Extent, OpenLoop
from seq2serve.load.table import markdown, number
from seq2serve.v1.translation_pb2 import Timing, TranslateResponse

# Ranks of which means are told: a percentile alone would be one request, or two.
PARTS = {"all": (0.0, 1.0), "around p50": (0.45, 0.55), "around p95": (0.94, 0.96), "around p99": (0.985, 0.995)}
STAGES = ("queue", "encode", "decode")
HEAD = ("", "latency, ms", "in line", "encoder", "decoder", "all else", "steps", "ms a step", "rows a step")


class Ended(NamedTuple):
    """Hold a request's latency in seconds, and what its reply says of it."""

    latency: float
    timing: Timing

    @property
    def stages(self) -> list[float]:
        """Return the seconds of each of STAGES."""
        return [getattr(self.timing, stage).ToMicroseconds() / 1e6 for stage in STAGES]


def main() -> None:
    """Print a table of means, a line for each of PARTS."""
    arguments = _parse()
    texts = draw_texts(arguments.file, arguments.sentences) * arguments.passes
    loop = OpenLoop(arguments.rate) if arguments.rate else ClosedLoop(arguments.in_flight)
    ours, extent = Ours("seq2serve", options=tuple(arguments.options.split())), Extent(requests=len(texts))
    with ours.serve() as endpoint:
        payloads = [ours.payload(text) for text in texts]
        found = generate(endpoint.address, payloads, loop, extent, method=endpoint.method, warm_up=500, timeout=300)
    samples = found.run.samples
    ended = [
        Ended(end - intended, TranslateResponse.FromString(found.replies[payload]).timing)
        for payload, intended, end, code in zip(
            samples.payload, samples.intended, samples.end, samples.code, strict=True
        )
        if code == 0
    ]
    if not ended:
        sys.exit(f"none of {len(samples)} requests succeeded: {samples.messages}")
    pace = f"{number(arguments.rate)}/s" if arguments.rate else f"{arguments.in_flight} in flight"
    print(f"{len(ended)} of {len(samples)} sentences of {arguments.file.name}, {pace}. {describe_machine()}\n")
    print(markdown(HEAD, table(ended)))


def table(ended: Sequence[Ended]) -> list[list[str]]:
    """Return the cells of each line: means of those whose latencies have these ranks."""
    ranked = sorted(ended, key=lambda one: one.latency)
    lines = []
    for name, (first, last) in PARTS.items():
        start = int(first * len(ranked))
        lines.append([name, *map(number, _means(ranked[start : max(start + 1, int(last * len(ranked)))]))])
    return lines


def _means(some: Sequence[Ended]) -> list[float]:
    """Return what HEAD says of some requests."""
    latency = statistics.mean(one.latency for one in some)
    stages = [statistics.mean(column) for column in zip(*(one.stages for one in some), strict=True)]
    steps = statistics.mean(one.timing.decode_steps for one in some)
    rows = statistics.mean(one.timing.mean_batch_size for one in some)
    times = [1000 * seconds for seconds in (latency, *stages, latency - sum(stages))]
    return [*times, steps, 1000 * stages[-1] / steps, rows]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="a source, or a source, a tab and a target, per line")
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--passes", type=int, default=5, help="over these sentences")
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--rate", type=float, help="arrivals a second, at random, instead")
    parser.add_argument("--options", default="", help="of our server")
    return parser.parse_args()


if __name__ == "__main__":
    main()
