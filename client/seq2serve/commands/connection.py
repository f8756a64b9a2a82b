"""The flags that say which server to call."""

from __future__ import annotations

import argparse
import os

from seq2serve.client import DEFAULT_ADDRESS, DEFAULT_TIMEOUT, Client


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add --address and --timeout."""
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        default=os.environ.get("SEQ2SERVE_ADDRESS") or DEFAULT_ADDRESS,
        help=f"the server (default: $SEQ2SERVE_ADDRESS, else {DEFAULT_ADDRESS})",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds,
        default=DEFAULT_TIMEOUT,
        help="time limit of one call, retries included (default: %(default)g)",
    )


def connect(args: argparse.Namespace) -> Client:
    """Open the client that the flags describe."""
    return Client(args.address, timeout=args.timeout)


def seconds(text: str) -> float:
    """Read a time limit."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of seconds")
    return value
