"""Our server beside everything that could be run instead, in turns, on the same text and the same cores.

python -m benchmarks.compare ../shared/data/multi30k/test_2016_flickr.en.txt --runs 3
"""

import argparse
import json
import os
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from itertools import product
from pathlib import Path

import sentencepiece

from benchmarks.library_row import LIBRARIES, measure_offline
from benchmarks.machine import commit, describe_machine
from benchmarks.ours import REPOSITORY, Ours
from benchmarks.peers.ctranslate2 import CTranslate2
from benchmarks.peers.dynamic import dynamic
from benchmarks.peers.library_command import vocabulary_file
from benchmarks.peers.naive import naive
from benchmarks.peers.peer import Peer
from benchmarks.peers.triton import Triton
from benchmarks.row import Row, measure, median
from seq2serve.load import ClosedLoop, Extent
from seq2serve.load.table import markdown, number
from service.bundle import read_bundle

HEAD = (
    *("system", "sentences/s", "(runs)", "without the generator", "tokens/s", "p50 ms", "p95 ms", "p99 ms"),
    *("within SLO /s", "CPU s per 1,000", "peak MB", "failed"),
)
Measure = Callable[[int], Row]  # of one run, by its number


def main() -> None:
    """Print a table of medians, a line for each system, and the machine that it is of."""
    arguments = _parser().parse_args()
    lines = arguments.file.read_text(encoding="utf-8").splitlines()
    texts = [line.split("\t")[0] for line in lines]
    random.Random(1).shuffle(texts)
    texts = texts[: arguments.sentences]
    rows: dict[str, list[Row]] = {}
    for number_of_run in range(arguments.runs):
        for name, measured in _systems(arguments, texts).items():
            if arguments.only and not any(part in name for part in arguments.only):
                continue
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="a source, or a source, a tab and a target, per line")
    parser.add_argument("--sentences", type=int, default=500)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--warm-up", type=int, default=128, help="sentences before each run")
    parser.add_argument("--slo", type=float, default=0.5, help="seconds that a sentence may take")
    parser.add_argument("--bundle", type=Path, default=REPOSITORY / "en-de" / "1", help="REPOSITORY/NAME/VERSION")
    parser.add_argument("--plain", type=Path, help="a bundle of plain graphs: what somebody would export for Triton")
    parser.add_argument("--checkouts", type=Path, nargs="*", default=[], help="earlier states of this repository")
    parser.add_argument("--options", default="", help="of our server, such as '--precision fp32'")
    parser.add_argument("--only", nargs="*", help="systems whose names hold one of these")
    parser.add_argument("--json", type=Path, help="write every run there")
    return parser


def _systems(arguments: argparse.Namespace, texts: Sequence[str]) -> dict[str, Measure]:
    """List what can be measured here; names what cannot, and why."""
    bundle, threads = arguments.bundle, os.cpu_count() or 1
    repository, precisions = bundle.resolve().parents[1], read_bundle(bundle).manifest.precisions
    options = tuple(arguments.options.split())
    lengths: dict[str, int] = {}  # target tokens of our translations, which others are told to produce
    served: list[Peer] = [
        Ours("seq2serve", repository, options),
        *(Ours(f"seq2serve {precision}", repository, (*options, "--precision", precision)) for precision in precisions),
        Triton(bundle, threads, name=f"Triton, Python backend running ONNX Runtime, {threads} threads"),
        Triton(bundle, 1, instances=threads, name=f"Triton, the same, {threads} instances of one thread"),
        dynamic(bundle, threads),
        naive(bundle, threads),
        *(CTranslate2(lengths, precision) for precision in ("fp32", "int8")),
    ]
    for checkout in arguments.checkouts:
        name = f"seq2serve at {commit(checkout)}"
        served.append(Ours(name, checkout / "model_repository", root=checkout.resolve()))
    if arguments.plain:
        plain = arguments.plain
        served.append(Triton(plain, threads, name="Triton, plain graphs"))
        served.append(Triton(plain, threads, spinning=True, name="Triton, plain graphs, threads that spin"))
    found: dict[str, Measure] = {}

    def serve(peer: Peer) -> Measure:
        def run(number_of_run: int) -> Row:
            loop, extent = ClosedLoop(arguments.in_flight), Extent(requests=max(len(texts), arguments.warm_up))
            row, tokens = measure(peer, texts, loop, extent, arguments.warm_up, number_of_run, arguments.slo)
            if peer is served[0]:  # the first of all, so that the others know
                lengths.update(zip(texts, tokens, strict=True))
            return row

        return run

    for peer in served:
        if _present(peer.name, peer.missing()):
            found[peer.name] = serve(peer)
    vocabulary = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary_file(bundle)))
    sources = [vocabulary.encode(text, out_type=str) for text in texts]
    for library in LIBRARIES:
        if _present(library.name, library.missing()):
            found[library.name] = lambda _, library=library: library.measure(  # type: ignore[misc]
                sources, [lengths[text] for text in texts]
            )
    for precision, way in product(precisions, ("dropping", "padded", "one_at_a_time")):
        name = f"offline {precision}, {way.replace('_', ' ')}"
        offline = partial(measure_offline, arguments.file, len(texts), bundle, threads, precision, way)
        found[name] = lambda _, offline=offline: offline()  # type: ignore[misc]
    return found


def _present(name: str, reason: str) -> bool:
    if reason:
        print(f"skipped: {name}: {reason}", file=sys.stderr)
    return not reason


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
