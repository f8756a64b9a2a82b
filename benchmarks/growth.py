"""How cost grows with the work: latency with the length of the output, throughput with the calls in flight.

python -m benchmarks.growth ../shared/data/tatoeba-en-de/length_probe.tsv
"""

import argparse
import statistics
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.generator import generate
from benchmarks.machine import describe_machine
from benchmarks.ours import REPOSITORY, Ours
from benchmarks.texts import draw_texts
from seq2serve import Client
from seq2serve.load import ClosedLoop, Extent, summarize

LONGEST = 128  # target pieces
BUCKET = 8
IN_FLIGHT = (64, 128, 256, 512, 1000)


def latencies_by_length(address: str, texts: list[str]) -> dict[int, float]:
    """Translate texts alone; returns the median seconds of outputs of each length, rounded to a multiple of BUCKET."""
    found = defaultdict(list)
    with Client(address) as client:
        for text in texts[:20]:
            client.translate(text)
        for text in texts:
            started = time.perf_counter()
            reply = client.translate(text)
            seconds, length = time.perf_counter() - started, reply.usage.target_tokens
            found[BUCKET * round(length / BUCKET)].append(seconds)
    kept = {length: values for length, values in found.items() if 0 < length <= LONGEST and len(values) >= 5}
    return {length: statistics.median(values) for length, values in sorted(kept.items())}


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="bucket, number, source, target: as ../shared/data has it")
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    parser.add_argument("--options", default="", help="of our server")
    arguments = parser.parse_args()
    texts = draw_texts(arguments.file)
    ours = Ours("seq2serve", arguments.repository, options=tuple(arguments.options.split()))
    print(describe_machine())
    with ours.serve() as endpoint:
        seconds = latencies_by_length(endpoint.address, texts)
        lengths, values = list(seconds), list(seconds.values())
        slope, intercept = statistics.linear_regression(lengths, values)
        squared = statistics.correlation(lengths, values) ** 2
        print(", ".join(f"{length}: {1000 * value:.1f}" for length, value in seconds.items()), "ms")
        print(f"{1000 * intercept:.1f} ms and {1000 * slope:.2f} ms a piece, R² = {squared:.4f}")
        payloads = [ours.payload(text) for text in texts[: arguments.sentences]]
        rates: dict[int, list[float]] = {in_flight: [] for in_flight in IN_FLIGHT}
        for run in range(arguments.runs):
            for in_flight in IN_FLIGHT:
                extent = Extent(requests=max(len(payloads), 3 * in_flight))
                found = generate(endpoint.address, payloads, ClosedLoop(in_flight), extent, warm_up=64, seed=run)
                summary = summarize(found.run)
                rates[in_flight].append(summary.throughput)
                if summary.failed:
                    print(f"{in_flight} in flight: {summary.failures}")
    for in_flight, found_rates in rates.items():
        shown = " ".join(f"{rate:.0f}" for rate in found_rates)
        print(f"{in_flight:4} in flight: median {statistics.median(found_rates):.0f} sentences/s ({shown})", flush=True)


if __name__ == "__main__":
    main()
