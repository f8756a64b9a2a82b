"""Glossaries on the command line and in files."""

from __future__ import annotations

import argparse
from pathlib import Path

from seq2serve.options import GlossaryTerm


def add_flags(group: argparse._ArgumentGroup) -> None:
    """Add --glossary-term, --glossary and --glossary-ignore-case."""
    group.add_argument(
        "--glossary-term",
        dest="glossary_terms",
        action="append",
        default=[],
        type=_term,
        metavar="SOURCE=TARGET",
        help="a term and the translation to use for it; repeatable",
    )
    group.add_argument(
        "--glossary",
        type=Path,
        metavar="FILE",
        help="such terms, one per line: source, a tab, target",
    )
    group.add_argument(
        "--glossary-ignore-case", action="store_true", help="find terms in any case (default: in their own)"
    )


def terms(args: argparse.Namespace) -> list[GlossaryTerm]:
    """Return the terms of the flags and of the file.

    Raises:
        ValueError: A line of the file is not a term.
        OSError: The file cannot be read.
    """
    pairs: list[tuple[str, str]] = list(args.glossary_terms)
    if args.glossary is not None:
        pairs += _read(args.glossary)
    return [GlossaryTerm(*pair, case_sensitive=False if args.glossary_ignore_case else None) for pair in pairs]


def _read(file: Path) -> list[tuple[str, str]]:
    try:
        text = file.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not UTF-8 at byte {error.start + 1}") from None
    pairs = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            source, *targets = line.rstrip("\r").split("\t")
            if len(targets) != 1:
                raise ValueError(f"{file}, line {number}: not source, tab, target")
            pairs.append((source, targets[0]))
    return pairs


def _term(text: str) -> tuple[str, str]:
    source, separator, target = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text} is not SOURCE=TARGET")
    return source, target
