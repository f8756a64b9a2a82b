"""Every line of the input answered by one line of the output, in order."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TextIO, TypeVar

from seq2serve.commands import exits, files
from seq2serve.commands.lines import Line, in_order
from seq2serve.commands.progress import Progress
from seq2serve.errors import Seq2ServeError, ServerUnreachable
from seq2serve.pending import Pending

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Form(Generic[Answer]):
    """How an answer is printed: as text, and as the fields of a JSON object.

    `nothing` are the fields for a line without an answer.
    """

    text: Callable[[Answer], str]
    fields: Callable[[Answer], dict[str, Any]]
    nothing: dict[str, Any]


def print_answer(args: argparse.Namespace, answer: Answer, form: Form[Answer], output: TextIO) -> None:
    """Print the answer to what stood on the command line."""
    print(_json(form.fields(answer)) if args.json else form.text(answer), file=output)


def print_answers(
    args: argparse.Namespace,
    lines: Iterable[Line],
    submit: Callable[[Line], Pending[Answer]],
    form: Form[Answer],
    output: TextIO,
) -> int:
    """Send the lines, each as a call of its own, and print the answers; return the exit code.

    One call for all would be tied to one server and end with it; gRPC spreads and repeats single calls.
    """
    typed = files.standard_input(args) and sys.stdin.isatty()
    show = not args.quiet and sys.stderr.isatty() and not typed
    failed = 0
    with Progress(show=show, total=files.line_count(args.file) if show else None) as progress:
        for line, pending in in_order(lines, submit, args.in_flight):
            outcome = _outcome(line, pending)
            answer, problem = outcome
            if problem:
                failed += 1
                progress.write(f"seq2serve: line {line.number}: {problem['error']}", sys.stderr)
            if args.json:
                found = form.nothing if answer is None else form.fields(answer)
                printed = _json({"line": line.number} | problem | found)
            else:
                # One line in, one line out, whatever line ends a model produces.
                printed = "" if answer is None else " ".join(form.text(answer).splitlines())
            progress.write(printed, output)
            progress.advance()
    return exits.FAILED if failed else 0


def _outcome(line: Line, pending: Pending[Answer] | None) -> tuple[Answer | None, dict[str, str]]:
    if pending is None:
        return None, {"error": line.problem} if line.problem else {}
    try:
        return pending.result(), {}
    except ServerUnreachable:
        # The lines to come would only fail in the same way, one by one.
        raise
    except Seq2ServeError as error:
        return None, {"error": exits.described(error), "reason": error.reason}


def _json(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False)
