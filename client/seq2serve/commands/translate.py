"""`seq2serve translate`: one text, or a stream of lines."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from typing import Any, TextIO, cast

from seq2serve.commands import connection, exits, files, flags
from seq2serve.commands.answers import Form, print_answer, print_answers
from seq2serve.commands.lines import Line, read_lines
from seq2serve.options import TranslateOptions
from seq2serve.pending import Pending
from seq2serve.plain import as_dict
from seq2serve.request import translate_request
from seq2serve.result import Translation
from seq2serve.stream import TranslationStream

_NAMES = tuple(TranslateOptions.__annotations__)


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subcommands.add_parser(
        "translate",
        usage="%(prog)s [OPTION ...] [TEXT]",
        help="translate a text, a file or standard input",
        description="Translate TEXT; without it a file or standard input, line by line. Every "
        "input line gives one output line in the same order; one that fails gives an empty one.",
        epilog=f"{flags.NOTE} {exits.EPILOG}",
    )
    parser.add_argument("text", nargs="?", metavar="TEXT", help="the text to translate")
    files.add_flags(parser)
    parser.add_argument("--stream", action="store_true", help="print the translation of TEXT as it comes")
    connection.add_flags(parser)
    flags.add_flags(parser, _NAMES)
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Translate what the arguments name."""
    try:
        _check(args)
        files.check(args)
        options = cast("TranslateOptions", flags.chosen(args, _NAMES))
        source = flags.source(args, args.text or "")
        translate_request(source, options)
    except ValueError as error:
        args.parser.error(str(error))
    with ExitStack() as stack:
        lines = files.open_lines(args) if args.text is None else None
        output = files.open_output(args, stack)
        client = stack.enter_context(connection.connect(args))
        if lines is not None:

            def submit(line: Line) -> Pending[Translation]:
                return client.submit(flags.source(args, line.text), **flags.numbered(options, line.number))

            return print_answers(args, read_lines(lines), submit, _form(args), output)
        if args.stream:
            _print_stream(args, client.translate_stream(source, **options), output)
        else:
            print_answer(args, client.translate(source, **options), _form(args), output)
        return 0


def _check(args: argparse.Namespace) -> None:
    if args.text is not None and args.file is not None:
        raise ValueError("give TEXT or --file, not both")
    if args.text is None and args.stream:
        raise ValueError("--stream needs TEXT")
    if args.json:
        return
    if args.stream and args.scores:
        raise ValueError("--scores with --stream needs --json: scores are known at the end")
    if (args.num_hypotheses or 1) > 1 and (args.stream or args.text is None):
        raise ValueError("--num-hypotheses with --stream or with lines needs --json")


def _print_stream(args: argparse.Namespace, stream: TranslationStream, output: TextIO) -> None:
    begun = False
    try:
        for delta in stream:
            if args.json:
                print(json.dumps({"delta": as_dict(delta.message)}, ensure_ascii=False), file=output, flush=True)
            else:
                print(delta.text, end="", file=output, flush=True)
                begun = True
    finally:
        if begun:
            print(file=output)
    if args.json:
        print(json.dumps({"final": _fields(stream.result())}, ensure_ascii=False), file=output)


def _form(args: argparse.Namespace) -> Form[Translation]:
    return Form(_scored_text if args.scores else _text, _fields, {"text": ""})


def _text(translation: Translation) -> str:
    return "\n".join(hypothesis.text for hypothesis in translation.hypotheses)


def _scored_text(translation: Translation) -> str:
    return "\n".join(f"{_number(one.score)}\t{one.text}" for one in translation.hypotheses)


def _number(score: float | None) -> str:
    return "" if score is None else f"{score:.4f}"


def _fields(translation: Translation) -> dict[str, Any]:
    return {"text": translation.text, **as_dict(translation.message)}
