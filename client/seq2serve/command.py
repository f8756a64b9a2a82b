"""The `seq2serve` command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from seq2serve.commands import align, bench, doctor, exits, models, score, translate
from seq2serve.errors import Seq2ServeError, ServerUnreachable
from seq2serve.version import version


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = _parser().parse_args(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone. Python flushes standard output once more on its way out,
        # and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.PIPE_CLOSED
    except ServerUnreachable as error:
        print(
            f"seq2serve: {error}; start a server (`make serve`) or name another with --address HOST:PORT",
            file=sys.stderr,
        )
        return exits.UNREACHABLE
    except Seq2ServeError as error:
        print(f"seq2serve: {exits.described(error)}", file=sys.stderr)
        return exits.FAILED
    except OSError as error:
        parts = ("seq2serve", error.filename, error.strerror)
        print(": ".join(str(part) for part in parts if part), file=sys.stderr)
        return exits.USAGE
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="seq2serve",
        description="Translate and score through a seq2serve server, measure it, or see what is wrong with it.",
        epilog=exits.EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"seq2serve {version()}")
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND")
    translate.add_parser(subcommands)
    score.add_parser(subcommands)
    align.add_parser(subcommands)
    models.add_parser(subcommands)
    bench.add_parser(subcommands)
    doctor.add_parser(subcommands)
    return parser
