"""`seq2serve score`: how probable translations are, of one pair or of many."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, cast

from seq2serve.commands import connection, exits, files, flags
from seq2serve.commands.answers import Form, print_answer, print_answers
from seq2serve.commands.lines import Line, read_lines
from seq2serve.options import ScoreOptions
from seq2serve.pending import Pending
from seq2serve.plain import as_dict
from seq2serve.request import score_request
from seq2serve.scored import Scored

_NAMES = tuple(ScoreOptions.__annotations__)


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subcommands.add_parser(
        "score",
        usage="%(prog)s [OPTION ...] [SOURCE TARGET]",
        help="tell how probable given translations are",
        description="Print the log-probability of TARGET as a translation of SOURCE: per piece, a tab, and in all. "
        "Without them the lines of a file or of standard input, each a source, a tab and a target. Every input line "
        "gives one output line in the same order; one that fails gives an empty one.",
        epilog=exits.EPILOG,
    )
    parser.add_argument("source", nargs="?", metavar="SOURCE", help="the text")
    parser.add_argument("target", nargs="?", metavar="TARGET", help="its translation")
    files.add_flags(parser)
    connection.add_flags(parser)
    flags.add_flags(parser, _NAMES)
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Score what the arguments name."""
    try:
        if args.source is not None and args.target is None:
            raise ValueError("give SOURCE and TARGET, or neither")
        if args.source is not None and args.file is not None:
            raise ValueError("give SOURCE and TARGET, or --file, not both")
        files.check(args)
        options = cast("ScoreOptions", flags.chosen(args, _NAMES))
        source, target = (flags.source(args, text or "") for text in (args.source, args.target))
        score_request(source, target, options)
    except ValueError as error:
        args.parser.error(str(error))
    with ExitStack() as stack:
        lines = files.open_lines(args) if args.source is None else None
        output = files.open_output(args, stack)
        client = stack.enter_context(connection.connect(args))
        if lines is None:
            print_answer(args, client.score(source, target, **options), _FORM, output)
            return 0

        def submit(line: Line) -> Pending[Scored]:
            source, target = (flags.source(args, text) for text in line.text.split("\t"))
            return client.submit_score(source, target, **flags.numbered(options, line.number))

        return print_answers(args, _pairs(read_lines(lines)), submit, _FORM, output)


def _pairs(lines: Iterable[Line]) -> Iterator[Line]:
    for line in lines:
        if line.problem or line.blank or line.text.count("\t") == 1:
            yield line
        else:
            yield replace(line, problem="not a source, one tab and a target")


def _text(scored: Scored) -> str:
    return f"{scored.score:.4f}\t{scored.log_probability:.4f}"


def _fields(scored: Scored) -> dict[str, Any]:
    fields = as_dict(scored.message)
    found = fields["hypothesis"]
    return {"score": found.get("score"), "log_probability": found.get("log_probability"), **fields}


_FORM: Form[Scored] = Form(_text, _fields, {"score": None, "log_probability": None})
