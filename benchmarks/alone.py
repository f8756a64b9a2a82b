"""One request alone: what a call, and the pause that it is for a model, take of whoever serves it.

python -m benchmarks.alone ../shared/data/tatoeba-en-de/test.tsv --runs 5

The bare loop translates sentences one behind the other, and then each after a call that a Python server answers at
once. A server over gRPC that did nothing beside would take what such a call and such a sentence take together.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc

from benchmarks.machine import describe_machine
from benchmarks.ours import REPOSITORY, Ours
from benchmarks.peers.echo import bare
from benchmarks.peers.loop import DecodeLoop
from benchmarks.peers.peer import Peer
from benchmarks.texts import draw_texts
from seq2serve.load.table import markdown, number

WARM_UP = 30  # sentences
HEAD = ("", "the loop, ms", "after a call", "the call", "both, times the loop", "served, ms", "times the loop")
Call = Callable[[str], object]


def main() -> None:
    """Print a table of medians, a line for each precision."""
    arguments = _parse()
    texts, cores = draw_texts(arguments.file, arguments.sentences), os.cpu_count()
    assert cores
    title = f"{len(texts)} sentences of {arguments.file.parent.name}/{arguments.file.name}, one in flight"
    print(f"{title}, medians of {arguments.runs} runs. {describe_machine()}\n")
    cells = []
    for precision in arguments.precisions:
        bundle = REPOSITORY / "en-de" / "1"
        loops = [DecodeLoop(bundle, threads, precision=precision) for threads in sorted({1, cores})]
        ours = Ours("seq2serve", options=("--precision", precision))
        runs = [_measure(loops, ours, texts) for _ in range(arguments.runs)]
        cells.append([precision, *map(number, map(statistics.median, zip(*runs, strict=True)))])
    print(markdown(HEAD, cells))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="a source, or a source, a tab and a target, per line")
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--precisions", nargs="+", default=("int8", "fp32"))
    return parser.parse_args()


def _measure(loops: Sequence[DecodeLoop], ours: Peer, texts: Sequence[str]) -> tuple[float, ...]:
    """Time sentences in each way; returns what HEAD says, in milliseconds and ratios of medians."""

    def translates(loop: DecodeLoop) -> Call:
        return lambda text: loop.translate([text])

    medians = [(_median(translates(loop), texts), loop) for loop in loops]
    alone, loop = min(medians, key=lambda one: one[0])  # by as many threads as are faster
    with _calls(bare()) as call:
        for text in texts[:WARM_UP]:
            call(text)
        in_turns = [(_seconds(call, text), _seconds(translates(loop), text)) for text in texts]
    answered, paused = map(statistics.median, zip(*in_turns, strict=True))
    with _calls(ours) as call:
        served = _median(call, texts)
    ratios = (paused + answered) / alone, served / alone
    return 1000 * alone, 1000 * paused, 1000 * answered, ratios[0], 1000 * served, ratios[1]


@contextmanager
def _calls(peer: Peer) -> Iterator[Call]:
    """Serve, and give what calls the server with a text and waits for its answer."""
    with peer.serve() as endpoint, grpc.insecure_channel(endpoint.address) as channel:
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(endpoint.method)
        yield lambda text: method(peer.payload(text))


def _median(call: Call, texts: Sequence[str]) -> float:
    """Return the seconds that a text takes, one behind the other."""
    for text in texts[:WARM_UP]:
        call(text)
    return statistics.median(_seconds(call, text) for text in texts)


def _seconds(call: Call, text: str) -> float:
    started = time.perf_counter()
    call(text)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
