"""Our server beside everything that could be run instead, in turns, on the same text and the same cores.

python -m benchmarks.compare ../shared/data/multi30k/test_2016_flickr.en.txt --runs 3
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from itertools import product

import sentencepiece

from benchmarks.library_row import LIBRARIES, measure_offline
from benchmarks.machine import describe_machine
from benchmarks.peers.echo import bare
from benchmarks.peers.library_command import vocabulary_file
from benchmarks.peers.peer import Peer
from benchmarks.row import Row, measure, median
from benchmarks.systems import OURS, chosen, parser, served
from benchmarks.texts import draw_texts
from seq2serve.load import ClosedLoop, Extent
from seq2serve.load.table import markdown, number
from service.bundle import read_bundle
from service.parts import FP16

HEAD = (
    *("system", "sentences/s", "(runs)", "without the generator", "tokens/s", "p50 ms", "p95 ms", "p99 ms"),
    *("within SLO /s", "CPU s per 1,000", "peak MB", "failed"),
)
Measure = Callable[[int], Row]  # of one run, by its number


def main() -> None:
    """Print a table of medians, a line for each system, and the machine that it is of."""
    arguments = _parser().parse_args()
    texts = draw_texts(arguments.file, arguments.sentences)
    rows: dict[str, list[Row]] = {}
    for number_of_run in range(arguments.runs):
        for name, measured in _systems(arguments, texts).items():
            rows.setdefault(name, []).append(measured(number_of_run))
            rate = rows[name][-1].sentences_per_second
            print(f"run {number_of_run + 1}: {name}: {rate:.1f} sentences/s", file=sys.stderr, flush=True)
    title = f"{len(texts)} sentences of {arguments.file.parent.name}/{arguments.file.name}"
    print(f"{title}, {arguments.in_flight} in flight, medians of {arguments.runs} runs. {describe_machine()}\n")
    print(markdown(HEAD, [_cells(name, found) for name, found in rows.items()]))
    if arguments.json:
        content = {name: [asdict(row) for row in found] for name, found in rows.items()}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    made = parser(__doc__)
    made.add_argument("--in-flight", type=int, default=64)
    made.add_argument("--slo", type=float, default=0.5, help="seconds that a sentence may take")
    return made


def _systems(arguments: argparse.Namespace, texts: Sequence[str]) -> dict[str, Measure]:
    """List what is measured; names what cannot be, and why."""
    bundle, threads = arguments.bundle, os.cpu_count() or 1
    precisions = [one for one in read_bundle(bundle).manifest.precisions if one != FP16]  # which only a GPU multiplies
    lengths: dict[str, int] = {}  # target tokens of our translations
    found: dict[str, Measure] = {}

    def serve(peer: Peer) -> Measure:
        def run(number_of_run: int) -> Row:
            loop, extent = ClosedLoop(arguments.in_flight), Extent(requests=max(len(texts), arguments.warm_up))
            row, tokens = measure(peer, texts, loop, extent, arguments.warm_up, number_of_run, arguments.slo)
            if peer.name == OURS:
                lengths.update(zip(texts, tokens, strict=True))
            return row

        return run

    nothing = bare()
    for peer in (*served(arguments, lengths), *([nothing] if chosen(arguments, nothing.name) else [])):
        found[peer.name] = serve(peer)
    vocabulary = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary_file(bundle)))
    sources = [vocabulary.encode(text, out_type=str) for text in texts]
    for library in LIBRARIES:
        if chosen(arguments, library.name, library.missing()):
            found[library.name] = lambda _, library=library: library.measure(  # type: ignore[misc]
                sources, [lengths[text] for text in texts]
            )
    for precision, way in product(precisions, ("dropping", "padded", "one_at_a_time")):
        name = f"offline {precision}, {way.replace('_', ' ')}"
        offline = partial(measure_offline, arguments.file, len(texts), bundle, threads, precision, way)
        if chosen(arguments, name):
            found[name] = lambda _, offline=offline: offline()  # type: ignore[misc]
    return found


def _cells(name: str, rows: Sequence[Row]) -> list[str]:
    middle = median(rows)
    rates = [number(row.sentences_per_second) for row in rows]
    timed = (None if one is None else 1000 * one for one in (middle.p50, middle.p95, middle.p99))
    figures = (
        *(middle.corrected, middle.tokens_per_second, *timed, middle.goodput),
        *(middle.cpu_per_thousand, middle.peak_megabytes, middle.failed),
    )
    shown = ("-" if one is None else number(one) for one in figures)
    return [name, number(middle.sentences_per_second), " ".join(rates), *shown]


if __name__ == "__main__":
    main()
