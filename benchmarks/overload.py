"""What is left of a server's capacity when far more is asked of it, and how fast it says no.

python -m benchmarks.overload ../shared/data/tatoeba-en-de/length_probe.tsv --words 30

Capacity is what a closed loop gets, from the time when all its calls are under way to when it starts no more. Then
calls with a deadline arrive at random, many times as many as the server can answer. Goodput is the replies in time,
per second until the last of all replies, and is set against the capacity less what the generator takes of the machine.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import grpc

from benchmarks.generator import generate
from benchmarks.machine import describe_machine
from benchmarks.metrics import resident_bytes, scrape
from benchmarks.texts import draw_texts
from seq2serve.load import ClosedLoop, Extent, OpenLoop, Run, percentile, summarize
from seq2serve.v1 import options_pb2, translation_pb2
from tests.server_process import ServerProcess

SETTLED = 0.25  # of a closed loop's time: then its calls are no longer those that all began at once
OK, REFUSED = grpc.StatusCode.OK.value[0], grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]


def latencies(run: Run, code: int) -> list[float]:
    """Return the seconds of all calls that ended with a code, ascending, from when they were to start."""
    samples = run.samples
    ended = zip(samples.intended, samples.end, samples.code, strict=True)
    return sorted(end - intended for intended, end, found in ended if found == code)


def steady_rate(run: Run, begin: float, end: float) -> float:
    """Return the replies per second between two times of a run, by when they came."""
    samples = run.samples
    came = sum(begin < at <= end and code == OK for at, code in zip(samples.end, samples.code, strict=True))
    return came / (end - begin)


def describe(run: Run, capacity: float, slo: float) -> tuple[float, str]:
    """Return the goodput's share of the capacity that the generator leaves, and a line of figures."""
    answered, refused = latencies(run, OK), latencies(run, REFUSED)
    summary = summarize(run, slo=slo)
    goodput, generator = summary.goodput or 0.0, summary.generator_share
    share = goodput / (capacity * (1 - generator))
    others = len(run.samples) - len(answered) - len(refused)
    p99 = 1000 * (percentile(answered, 99) or 0)
    no = f"refusals p50 {1000 * (percentile(refused, 50) or 0):.1f}, p99 {1000 * (percentile(refused, 99) or 0):.1f} ms"
    return share, (
        f"goodput {goodput:.1f}/s (raw {goodput / capacity:.2f}, generator {generator:.2f}: {share:.2f}); replies p99 "
        f"{p99:.0f} ms of {1000 * slo:.0f}; {no if refused else 'nobody refused'}; answered {len(answered)}, "
        f"refused {len(refused)}, otherwise {others} {summary.failures}"
    )


def payloads_of(texts: Sequence[str], beam: int) -> list[bytes]:
    """Serialize requests."""
    options = options_pb2.DecodeOptions(beam_size=beam)
    return [translation_pb2.TranslateRequest(text=text, options=options).SerializeToString() for text in texts]


def main() -> None:
    """Print capacity, and a line for each rate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="a source, or a source, a tab and a target, per line")
    parser.add_argument("--sentences", type=int, default=400)
    parser.add_argument("--words", type=int, default=1, help="of a source, at least")
    parser.add_argument("--beam", type=int, default=5, help="so that the capacity is some 30 calls a second")
    parser.add_argument("--times", type=float, nargs="+", default=[10], help="the capacity, for each run")
    parser.add_argument("--halve", action="store_true", help="then double the rate until the goodput is half")
    parser.add_argument("--slo", type=float, default=4.0, help="seconds, sent as the deadline")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--options", default="", help="of our server")
    arguments = parser.parse_args()
    texts = [text for text in draw_texts(arguments.file) if len(text.split()) >= arguments.words]
    payloads = payloads_of(texts[: arguments.sentences], arguments.beam)
    seconds, slo = arguments.seconds, arguments.slo
    print(describe_machine())
    with ServerProcess("--log-level", "warning", *arguments.options.split()) as server:
        closed = generate(server.address, payloads, ClosedLoop(64), Extent(seconds=seconds / 2), warm_up=64).run
        capacity = steady_rate(closed, SETTLED * seconds / 2, seconds / 2)
        print(f"capacity {capacity:.1f}/s, generator {summarize(closed).generator_share:.2f}", flush=True)
        times, share = list(arguments.times), 1.0
        while times:
            rate = times[0] * capacity
            before = resident_bytes(scrape(server.http)) / 1e6
            extent = Extent(seconds=seconds)
            run = generate(server.address, payloads, OpenLoop(rate), extent, timeout=slo, connections=4).run
            share, line = describe(run, capacity, slo)
            after = resident_bytes(scrape(server.http)) / 1e6
            print(f"{times[0]:g} x, {rate:.0f} calls/s: {line}; memory {before:.0f} to {after:.0f} MB", flush=True)
            last = times.pop(0)
            if not times and arguments.halve and share > 0.5:
                times.append(2 * last)


if __name__ == "__main__":
    main()
