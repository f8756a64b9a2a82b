"""`seq2serve models`: what the server can translate."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from seq2serve.commands import connection
from seq2serve.model import Model
from seq2serve.plain import as_dict

_COLUMNS = ("MODEL", "STATE", "LANGUAGES", "ARCHITECTURE", "PARAMETERS", "PRECISION", "DEVICE")


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subcommands.add_parser(
        "models", help="list the server's models", description="List the models of a server."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per model")
    connection.add_flags(parser)
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Print the models."""
    with connection.connect(args) as client:
        models = client.models()
    if args.json:
        for model in models:
            print(json.dumps(as_dict(model.message), ensure_ascii=False))
    else:
        print(table([_COLUMNS, *(_row(model) for model in models)]))
    return 0


def table(rows: Sequence[Sequence[str]]) -> str:
    """Align the columns of a table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(model: Model) -> tuple[str, ...]:
    return (
        f"{model.name}:{model.version}" + (" (default)" if model.is_default else ""),
        model.state,
        ", ".join(map(str, model.languages)),
        f"{model.architecture}, {model.attention} attention",
        f"{model.parameter_count:,}",
        model.precision,
        model.device,
    )
