"""The bare decode loop without any server: what is left of it is what serving costs.

python -m benchmarks.peers.offline ../shared/data/multi30k/test_2016_flickr.en.txt \
    --bundle model_repository/en-de/1 --threads 2 --way dropping --json
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.peers.loop import DecodeLoop, Translation
from benchmarks.texts import draw_texts

MOST = 64  # sentences of a batch
WARM_UP = 64  # sentences that are translated before the clock starts
WAYS = ("padded", "dropping", "one_at_a_time")


@dataclass(frozen=True)
class Report:
    """Hold what translating a file took, from texts to texts."""

    way: str
    sentences: int
    tokens: int
    seconds: float
    cpu_seconds: float
    sentences_per_second: float
    tokens_per_second: float
    latencies: list[float]  # seconds of each sentence, in their order; only one_at_a_time


def sorted_batches(decoder: DecodeLoop, texts: Sequence[str], drop: bool) -> Iterator[Translation]:
    """Translate texts in batches of similar length, longest first; `drop`: finished rows leave their batch."""
    sources = sorted(map(decoder.encode, texts), key=len, reverse=True)
    for start in range(0, len(sources), MOST):
        yield from decoder.translate_ids(sources[start : start + MOST], drop)


def one_at_a_time(decoder: DecodeLoop, texts: Sequence[str], latencies: list[float]) -> Iterator[Translation]:
    """Translate texts one by one, and note how long each took."""
    for text in texts:
        started = time.perf_counter()
        yield from decoder.translate([text])
        latencies.append(time.perf_counter() - started)


def measure(decoder: DecodeLoop, texts: Sequence[str], way: str) -> Report:
    """Translate all texts in one of the ways."""
    latencies: list[float] = []

    def run(chosen: Sequence[str]) -> int:
        if way == "one_at_a_time":
            return sum(one.target_tokens for one in one_at_a_time(decoder, chosen, latencies))
        return sum(one.target_tokens for one in sorted_batches(decoder, chosen, way == "dropping"))

    run(texts[:WARM_UP])
    latencies.clear()
    started, cpu = time.perf_counter(), time.process_time()
    tokens = run(texts)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return Report(way, len(texts), tokens, seconds, cpu, len(texts) / seconds, tokens / seconds, latencies)


def main(given: Sequence[str] | None = None) -> None:
    """Print a report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="a source, or a source, a tab and a target, per line")
    parser.add_argument("--bundle", type=Path, required=True, help="REPOSITORY/NAME/VERSION")
    parser.add_argument("--threads", type=int, required=True, help="of ONNX Runtime")
    parser.add_argument("--spinning", action="store_true", help="let idle threads spin, ONNX Runtime's own default")
    parser.add_argument("--precision", choices=("fp32", "int8"), default="fp32")
    parser.add_argument("--way", choices=WAYS, default=WAYS[0])
    parser.add_argument("--sentences", type=int, help="only so many; default all")
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    arguments = parser.parse_args(given)
    texts = draw_texts(arguments.file, arguments.sentences)  # the same ones that benchmarks.compare sends
    decoder = DecodeLoop(arguments.bundle, arguments.threads, arguments.spinning, arguments.precision)
    report = measure(decoder, texts, arguments.way)
    if arguments.json:
        print(json.dumps(asdict(report)))
        return
    print(
        f"{report.way}: {report.sentences_per_second:.1f} sentences/s, {report.tokens_per_second:.0f} tokens/s, "
        f"{report.cpu_seconds:.2f} CPU seconds"
    )
    if report.latencies:
        print(f"median {1000 * statistics.median(report.latencies):.2f} ms a sentence")


if __name__ == "__main__":
    main()
