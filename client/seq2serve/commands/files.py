"""Where the command reads and writes."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import BinaryIO, TextIO

from seq2serve.commands.number import at_least


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add --file, --output, --json, --in-flight and --quiet."""
    parser.add_argument("-f", "--file", type=Path, help="read the lines of this file")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to this file")
    parser.add_argument("--json", action="store_true", help="one JSON object per line, with all that the server says")
    parser.add_argument(
        "--in-flight", type=at_least(1), default=64, metavar="N", help="lines sent at once (default: 64)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar")


def check(args: argparse.Namespace) -> None:
    """Raise ValueError where writing would destroy what is to be read."""
    source, output = args.file, args.output
    if source and output and source.is_file() and output.is_file() and source.samefile(output):
        raise ValueError(f"--output {output} would overwrite the input")


def open_lines(args: argparse.Namespace) -> BinaryIO:
    """Open the input for lines.

    Who reads it closes it, not the caller: closing waits for a read that is going on, and nothing
    wakes a read of a terminal or a pipe.
    """
    if not standard_input(args):
        file: Path = args.file
        return file.open("rb")
    if sys.stdin.isatty() and not args.quiet:
        print("Type lines; Ctrl-D ends.", file=sys.stderr)
    # A file object of our own: Python aborts on its way out when a thread still waits in sys.stdin.
    return open(sys.stdin.fileno(), "rb", closefd=False)


def standard_input(args: argparse.Namespace) -> bool:
    """Return whether the lines come from standard input."""
    return args.file is None or args.file == Path("-")


def open_output(args: argparse.Namespace, stack: ExitStack) -> TextIO:
    """Open the output, to be closed by the stack."""
    if args.output is None:
        return sys.stdout
    file: Path = args.output
    return stack.enter_context(file.open("w", encoding="utf-8", newline="\n"))


def line_count(file: Path | None) -> int | None:
    """Count the lines of a regular file; None for anything that can only be read once."""
    if file is None or not file.is_file():
        return None
    with file.open("rb") as source:
        return sum(block.count(b"\n") for block in iter(partial(source.read, 1 << 20), b""))
