"""The subcommands of `python -m models figures`."""

import argparse
from pathlib import Path

import torch
from pydantic import ValidationError

from models.config import RecipeError, TextFile
from models.figures import alignment, copying, gradients, lengths

FOLDER = Path("docs/figures")
EDGES = (5, 10, 15, 20, 25, 30, 40, 50, 64)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `figures` to the commands."""
    parser = commands.add_parser("figures", help="draw a picture of what models do")
    figures = parser.add_subparsers(required=True, metavar="FIGURE")

    vanishing = figures.add_parser("gradients", help="the norm of the gradient by distance, for every cell")
    vanishing.add_argument("--distance", type=int, default=100)
    vanishing.add_argument("--seed", type=int, default=1)
    vanishing.set_defaults(command=lambda given: gradients.draw(given.out, given.distance, given.updates, given.seed))

    copies = figures.add_parser("copy", help="the copy task with a growing delay, for every cell")
    copies.add_argument("--delays", type=int, nargs="+", default=[10, 20, 40, 80])
    copies.set_defaults(command=lambda given: copying.draw(given.out, given.delays, given.updates, given.seeds))
    copies.add_argument("--seeds", type=int, default=3, help="runs from other weights (%(default)s)")
    for trains in (vanishing, copies):
        trains.add_argument("--updates", type=int, default=1000, help="of training (%(default)s)")

    long = figures.add_parser("lengths", help="BLEU by the length of the source, for some runs")
    long.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    long.add_argument("--text", type=Path, required=True, metavar="FILE.tsv", help="source<TAB>target lines")
    long.add_argument("--columns", default="source,target", help="names of the file's columns, comma-separated")
    long.set_defaults(command=_lengths)

    looks = figures.add_parser("alignment", help="where a run's model looks while it translates")
    looks.add_argument("run", type=Path)
    looks.add_argument("sentences", nargs="+", metavar="SENTENCE")
    looks.set_defaults(command=lambda given: alignment.draw(given.out, given.run, given.sentences))

    for name, one in figures.choices.items():
        one.add_argument("--out", type=Path, default=FOLDER / f"{name}.png", help="the picture (%(default)s)")


def _lengths(given: argparse.Namespace) -> None:
    try:
        file = TextFile(path=str(given.text.resolve()), columns=tuple(given.columns.split(",")))
    except ValidationError as error:
        raise RecipeError(f"--columns {given.columns}: {error.errors()[0]['msg']}") from error
    lengths.draw(given.out, given.runs, file, EDGES, torch.device("cpu"))
