"""Throughput and latency of our server and its peers from one sentence in flight to many, as a table and a picture.

python -m benchmarks.curves ../shared/data/multi30k/test_2016_flickr.en.txt --plot docs/curves.svg --json curves.json
python -m benchmarks.curves curves.json --plot docs/curves.svg     (draws again what was measured before)
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.curve_plot import draw
from benchmarks.curve_points import Points
from benchmarks.machine import describe_machine
from benchmarks.peers.peer import Peer
from benchmarks.row import load
from benchmarks.systems import OURS, parser, served
from benchmarks.texts import draw_texts
from seq2serve.load import ClosedLoop, Extent

ROUNDS = 4  # requests for each one in flight, at the least: else it is the beginning and the end that are measured


def main() -> None:
    """Measure, or read what was measured; print the table of medians, and draw it."""
    arguments = _arguments()
    if arguments.file.suffix == ".json":
        points = Points.from_json(arguments.file.read_text(encoding="utf-8"))
    else:
        points = _measure(arguments)
    print(f"{points.about}\n\n{points.table()}")
    arguments.plot.write_bytes(draw(points.medians()))


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--in-flight", type=int, nargs="+", default=[2**power for power in range(9)])
    made.add_argument("--plot", type=Path, required=True, help="write the picture there, as an SVG")
    arguments = made.parse_args()
    for file in (arguments.plot, arguments.json):
        if file and not file.parent.is_dir():
            made.error(f"{file}: there is no such folder: make it, or name another")
    return arguments


def _measure(arguments: argparse.Namespace) -> Points:
    """Measure all systems in turns; after each run, write down what there is."""
    texts = draw_texts(arguments.file, arguments.sentences)
    title = f"{len(texts)} sentences of {arguments.file.parent.name}/{arguments.file.name}"
    points = Points(f"{title}, medians of {arguments.runs} runs. {describe_machine()}")
    lengths: dict[str, int] = {}  # target tokens of our translations
    peers = served(arguments, lengths)
    for run in range(arguments.runs):
        for peer in peers:
            _measure_one(peer, arguments, texts, run, lengths, points)
        if arguments.json:
            arguments.json.write_text(points.to_json(), encoding="utf-8")
    return points


def _measure_one(
    peer: Peer, arguments: argparse.Namespace, texts: Sequence[str], run: int, lengths: dict[str, int], points: Points
) -> None:
    """Start a server once, and load it with each number in flight."""
    with peer.serve() as endpoint:
        for in_flight in arguments.in_flight:
            extent = Extent(requests=max(len(texts), ROUNDS * in_flight))
            row, tokens = load(peer, endpoint, texts, ClosedLoop(in_flight), extent, arguments.warm_up, run)
            points.add(peer.name, in_flight, row)
            if peer.name == OURS:
                lengths.update(zip(texts, tokens, strict=True))
            rate = f"{row.sentences_per_second:.1f} sentences/s"
            print(f"run {run + 1}: {peer.name}: {in_flight} in flight: {rate}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
