"""Export a training run, or a bundle again: python -m export RUN MODEL_REPOSITORY/NAME.

python -m export import takes checkpoints of other programs; python -m export restore makes a run of a bundle.
"""

import argparse
import logging
import signal
import sys
from pathlib import Path

from export import restored
from export.errors import ExportError
from export.exporter import Options, export
from export.foreign import command as importing
from export.golden import MARGINS
from models.checkpoint import RunError
from models.data import DataError
from models.tokenizer import VocabularyError
from service.errors import StartupError
from service.parts import FP32, MAX_TOKENS, Limits

COMMANDS = {"import": importing.run, "restore": restored.run}


def main() -> int:
    """Export, and print the path of what is new as the last line; returns the exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("export").setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what is unfinished is deleted
    try:
        command = COMMANDS.get(sys.argv[1]) if sys.argv[1:] else None
        print(command(sys.argv[2:]) if command else export(_options()))
    except (ExportError, RunError, DataError, VocabularyError, StartupError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _options() -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m export",
        description="Export a training run as a bundle; `import` takes others', `restore` makes a run of a bundle.",
    )
    parser.add_argument("run", type=Path, help="folder of a training run, or of a bundle")
    parser.add_argument("target", type=Path, metavar="MODEL_REPOSITORY/NAME", help="the version is a folder in it")
    parser.add_argument("--version", type=int, help="version to write (the next free one)")
    parser.add_argument(
        "--precision", choices=tuple(MARGINS), nargs="+", default=[FP32], help="of the products, one or more (fp32)"
    )
    parser.add_argument(
        "--weights", choices=("fp16", "fp32"), default="fp16", help="stored as, where they are not int8 (%(default)s)"
    )
    parser.add_argument("--candidates", type=_number, default=16, help="best words that a step gives (%(default)s)")
    parser.add_argument("--max-source-tokens", type=_number, default=256, help="longest source in pieces (%(default)s)")
    parser.add_argument("--max-length", type=_number, default=256, help="longest target in pieces (%(default)s)")
    parser.add_argument("--scores", type=Path, nargs="+", default=[], metavar="FILE.tsv", help="texts to score it on")
    parser.add_argument("--attribution", type=Path, metavar="FILE", help="goes into the bundle as ATTRIBUTION.md")
    parser.add_argument("--card", type=Path, metavar="FILE", help="goes into the bundle as MODEL_CARD.md")
    given = parser.parse_args()
    return Options(
        run=given.run,
        target=given.target,
        version=given.version,
        precisions=tuple(given.precision),
        half=given.weights == "fp16",
        candidates=given.candidates,
        limits=Limits(max_source_tokens=given.max_source_tokens, max_length=given.max_length),
        scores=tuple(given.scores),
        attribution=given.attribution,
        card=given.card,
    )


def _number(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MAX_TOKENS:
        raise argparse.ArgumentTypeError(f"{number} must be 1 to {MAX_TOKENS}")
    return number


if __name__ == "__main__":
    sys.exit(main())
