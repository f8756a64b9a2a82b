"""`seq2serve translate`: one text, or a stream of lines."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from seq2serve.commands import connection, exits
from seq2serve.commands.lines import Line, in_order, read_lines
from seq2serve.commands.progress import Progress
from seq2serve.errors import Seq2ServeError, ServerUnreachable
from seq2serve.options import TranslateOptions
from seq2serve.pending import Pending
from seq2serve.plain import as_dict
from seq2serve.request import translate_request
from seq2serve.result import Translation


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subcommands.add_parser(
        "translate",
        help="translate a text, a file or standard input",
        description="Translate TEXT; without it a file or standard input, line by line. Every "
        "input line gives one output line in the same order; one that fails gives an empty one.",
        epilog=exits.EPILOG,
    )
    parser.add_argument("text", nargs="?", metavar="TEXT", help="the text to translate")
    parser.add_argument("-f", "--file", type=Path, help="translate the lines of this file")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to this file")
    parser.add_argument(
        "--model",
        default="",
        metavar="NAME[:VERSION]",
        help="the model (default: the server's choice)",
    )
    for flag, side in ("--from", "source"), ("--to", "target"):
        parser.add_argument(
            flag,
            dest=f"{side}_language",
            default="",
            metavar="LANG",
            help=f"{side} language, such as en or de (default: the model's)",
        )
    parser.add_argument("--max-length", type=int, metavar="N", help="at most N pieces (default: the model's)")
    parser.add_argument("--scores", action="store_true", help="log-probability per piece and a tab before each line")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--in-flight", type=count, default=64, metavar="N", help="requests at once (default: 64)")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar")
    connection.add_flags(parser)
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Translate what the arguments name."""
    if args.text is not None and args.file is not None:
        args.parser.error("give TEXT or --file, not both")
    if args.file is not None and args.output is not None and _same_file(args.file, args.output):
        args.parser.error(f"--output {args.output} would overwrite the input")
    asked: dict[str, Any] = {
        "model": args.model,
        "source_language": args.source_language,
        "target_language": args.target_language,
    }
    options: TranslateOptions = {"max_length": args.max_length, "scores": args.scores or None}
    try:
        translate_request(args.text or "", **asked, options=options)
    except ValueError as error:
        args.parser.error(str(error))
    with ExitStack() as stack:
        source = _open_source(args)
        output = _open_output(args, stack)
        client = stack.enter_context(connection.connect(args))
        if source is None:
            translation = client.translate(args.text, **asked, **options)
            print(_formatted(args, translation), file=output)
            return 0
        submit = partial(client.submit, **asked, **options)
        return _translate_lines(args, submit, source, output)


def _translate_lines(
    args: argparse.Namespace,
    submit: Callable[[str], Pending],
    source: BinaryIO,
    output: TextIO,
) -> int:
    show = not args.quiet and sys.stderr.isatty() and not source.isatty()
    failed = 0
    with Progress(show=show, total=_line_count(args.file) if show else None) as progress:
        for line, pending in in_order(read_lines(source), submit, args.in_flight):
            translation, problem = _outcome(line, pending)
            if problem:
                failed += 1
                progress.write(f"seq2serve: line {line.number}: {problem}", sys.stderr)
            progress.write(_formatted_line(args, line, translation, problem), output)
            progress.advance()
    return exits.FAILED if failed else 0


def _outcome(line: Line, pending: Pending | None) -> tuple[Translation | None, str]:
    if pending is None:
        return None, line.problem
    try:
        return pending.result(), ""
    except ServerUnreachable:
        # The lines to come would only fail in the same way, one by one.
        raise
    except Seq2ServeError as error:
        return None, exits.described(error)


def _formatted_line(args: argparse.Namespace, line: Line, translation: Translation | None, problem: str) -> str:
    if not args.json:
        # One line in, one line out, whatever line ends a model produces.
        return " ".join(_formatted(args, translation).splitlines()) if translation else ""
    fields: dict[str, Any] = {"line": line.number, "text": ""}
    if problem:
        fields["error"] = problem
    if translation is not None:
        fields |= _fields(translation)
    return json.dumps(fields, ensure_ascii=False)


def _formatted(args: argparse.Namespace, translation: Translation) -> str:
    if args.json:
        return json.dumps(_fields(translation), ensure_ascii=False)
    if args.scores:
        score = translation.hypotheses[0].score
        return f"{'' if score is None else f'{score:.4f}'}\t{translation.text}"
    return translation.text


def _fields(translation: Translation) -> dict[str, Any]:
    return {"text": translation.text, **as_dict(translation.message)}


def _open_source(args: argparse.Namespace) -> BinaryIO | None:
    """Open the input for lines; None when the text stands on the command line.

    Who reads it closes it, not the caller: closing waits for a read that is going on, and nothing
    wakes a read of a terminal or a pipe.
    """
    if args.text is not None:
        return None
    if args.file is not None and args.file != Path("-"):
        file: Path = args.file
        return file.open("rb")
    if sys.stdin.isatty() and not args.quiet:
        print("Type lines to translate; Ctrl-D ends.", file=sys.stderr)
    # A file object of our own: Python aborts on its way out when a thread still waits in sys.stdin.
    return open(sys.stdin.fileno(), "rb", closefd=False)


def _open_output(args: argparse.Namespace, stack: ExitStack) -> TextIO:
    if args.output is None:
        return sys.stdout
    file: Path = args.output
    return stack.enter_context(file.open("w", encoding="utf-8", newline="\n"))


def _same_file(source: Path, output: Path) -> bool:
    return source.is_file() and output.is_file() and source.samefile(output)


def _line_count(file: Path | None) -> int | None:
    """Count the lines of a regular file; None for anything that can only be read once."""
    if file is None or not file.is_file():
        return None
    with file.open("rb") as source:
        return sum(block.count(b"\n") for block in iter(partial(source.read, 1 << 20), b""))


def count(text: str) -> int:
    """Read a number of requests."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value
