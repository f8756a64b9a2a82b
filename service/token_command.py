"""`python -m service token`: make a token and the line that admits it."""

import argparse
import secrets
import sys
from collections.abc import Sequence

from service.tokens import NAME, SCOPES, digest_of, parse_scopes

BYTES = 32


def main(arguments: Sequence[str]) -> int:
    """Print the line to standard output, and the token to standard error; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m service token",
        description="Make a bearer token. The line for the token file goes to standard output, so that >> FILE appends "
        "it; the token itself goes to standard error, once: only its SHA-256 is in the line.",
    )
    parser.add_argument("name", type=_name, metavar="NAME", help="who holds it; stands in the access log")
    parser.add_argument(
        "--scopes",
        type=_scopes,
        default="translate",
        metavar="SCOPE[,SCOPE]",
        help=f"what it is for: {', '.join(SCOPES)} (default: %(default)s)",
    )
    chosen = parser.parse_args(arguments)
    token = secrets.token_urlsafe(BYTES)
    print(chosen.name, chosen.scopes, digest_of(token).hex())
    print(f"the token, which is not shown again: {token}", file=sys.stderr)
    return 0


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not up to 64 letters, digits, dots, dashes and underscores")
    return text


def _scopes(text: str) -> str:
    try:
        scopes = parse_scopes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error
    return ",".join(scope for scope in SCOPES if scope in scopes)
