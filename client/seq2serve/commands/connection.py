"""The flags that say which server to call."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import grpc

from seq2serve.access import Access
from seq2serve.channel import time_limit
from seq2serve.client import DEFAULT_ADDRESS, DEFAULT_TIMEOUT, Client


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the server, TLS and the token."""
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
    group = parser.add_argument_group("security", "Any of the --tls flags turns TLS on.")
    group.add_argument("--tls", action="store_true", help="encrypt, and trust the authorities that gRPC brings along")
    group.add_argument("--tls-ca", metavar="FILE", type=Path, help="trust the authorities in this PEM file instead")
    group.add_argument("--tls-certificate", metavar="FILE", type=Path, help="show this PEM certificate (mTLS)")
    group.add_argument("--tls-key", metavar="FILE", type=Path, help="the key of the certificate, in PEM")
    group.add_argument(
        "--token-file", metavar="FILE", type=Path, help="show the token in this file (default: $SEQ2SERVE_TOKEN)"
    )
    group.add_argument(
        "--token-in-clear", action="store_true", help="send the token without TLS to other machines, too"
    )


def connect(args: argparse.Namespace) -> Client:
    """Open the client that the flags describe."""
    return Client(args.address, timeout=args.timeout, **vars(access(args)))


def access(args: argparse.Namespace) -> Access:
    """Return the TLS and the token that the flags and the environment describe.

    Raises:
        SystemExit: They do not go together.
        OSError: A file cannot be read.
    """
    if (args.tls_certificate is None) != (args.tls_key is None):
        args.parser.error("--tls-certificate and --tls-key need one another")
    files = (args.tls_ca, args.tls_key, args.tls_certificate)
    credentials = None
    if args.tls or any(files):
        credentials = grpc.ssl_channel_credentials(*(file and file.read_bytes() for file in files))
    token = os.environ.get("SEQ2SERVE_TOKEN") or None
    if args.token_file is not None:
        token = args.token_file.read_text(encoding="utf-8", errors="replace").strip()
    chosen = Access(credentials, token, args.token_in_clear)
    try:
        chosen.metadata(args.address)
    except ValueError as error:
        args.parser.error(str(error))
    return chosen


def seconds(text: str) -> float:
    """Read a time limit."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of seconds")
    return time_limit(value)
