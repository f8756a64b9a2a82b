"""`seq2serve bench`: how much a server translates, and how long it takes, under a chosen load."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from seq2serve.commands import connection, exits, figures, flags
from seq2serve.commands.lines import read_lines
from seq2serve.commands.number import at_least
from seq2serve.commands.options import OUTPUT
from seq2serve.load import (
    TRANSLATE,
    Call,
    ClosedLoop,
    Extent,
    Loop,
    OpenLoop,
    Summary,
    event_loop,
    generate,
    open_calls,
    summarize,
)
from seq2serve.load.sentences import SENTENCES
from seq2serve.load.table import markdown, number
from seq2serve.options import TranslateOptions
from seq2serve.request import translate_request
from seq2serve.v1 import translation_pb2

_NAMES = tuple(TranslateOptions.__annotations__.keys() - {"request_id", *(option.name for option in OUTPUT)})


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subcommands.add_parser(
        "bench",
        usage="%(prog)s [OPTION ...]",
        help="measure throughput and latency of a server",
        description="Send sentences at each load in turn and print a row of figures for it: the median of its runs, "
        "and in brackets the lowest and the highest. With --in-flight each answer lets the next request go; with "
        "--rate requests arrive at random times and wait for nothing. Latency counts from when a request was to start; "
        "goodput are the replies within the SLO; the generator's share is of all cores of this machine.",
        epilog=f"{flags.NOTE} {exits.EPILOG}",
    )
    parser.add_argument("-f", "--file", type=Path, help="a source, or source, tab, target, per line (default: our own)")
    load = parser.add_mutually_exclusive_group()
    load.add_argument(
        "--in-flight", type=at_least(1), nargs="+", metavar="N", help="requests in flight (default: 64)", default=[64]
    )
    load.add_argument("--rate", type=_rate, nargs="+", metavar="R", help="requests per second")
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--requests", type=at_least(1), metavar="N", help="requests of a run, instead of --seconds")
    extent.add_argument(
        "--seconds", type=connection.seconds, metavar="S", default=10.0, help="length of a run (default: %(default)g)"
    )
    for name, least, default, meaning in (
        ("--runs", 1, 3, "runs at each load"),
        ("--warm-up", 0, 50, "requests ahead of the runs at a load, which do not count"),
        ("--connections", 1, 1, "connections that take turns"),
        ("--order-seed", 0, 0, "the same seed makes the same order and arrivals"),
    ):
        parser.add_argument(
            name, type=at_least(least), default=default, metavar="N", help=f"{meaning} (default: %(default)s)"
        )
    parser.add_argument("--slo", type=connection.seconds, metavar="SECONDS", help="the latency that is good enough")
    parser.add_argument("--json", action="store_true", help="one JSON object per load, with the figures of each run")
    parser.add_argument("-q", "--quiet", action="store_true", help="do not tell of each run")
    connection.add_flags(parser)
    flags.add_flags(parser, _NAMES)
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Measure what the arguments name."""
    try:
        sources = [flags.source(args, text) for text in _texts(args)]
        options = cast("TranslateOptions", flags.chosen(args, _NAMES))
        payloads = [translate_request(source, options).SerializeToString() for source in sources]
    except ValueError as error:
        args.parser.error(str(error))
    with connection.connect(args) as client:
        # A wrong address or option is an error with a reason here, and not a table full of failures.
        client.translate(sources[0], **options)
    with asyncio.Runner(loop_factory=event_loop) as runner:
        return runner.run(_measure(args, payloads))


async def _measure(args: argparse.Namespace, payloads: Sequence[bytes]) -> int:
    rows: list[tuple[str, ...]] = []
    failed = 0
    try:
        async with open_calls(args.address, TRANSLATE, args.connections, connection.access(args)) as calls:
            for loop in _loops(args):
                await generate(calls, payloads, loop, Extent(requests=args.warm_up), timeout=args.timeout)
                runs = [await _run(args, calls, payloads, loop, index) for index in range(args.runs)]
                failed += figures.complain(loop, runs)
                if args.json:
                    print(json.dumps(figures.fields(loop, runs)), flush=True)
                else:
                    rows.append(figures.row(loop, runs))
    finally:
        # Whoever interrupts a long measurement keeps what is complete.
        if rows:
            print(markdown(figures.HEAD, rows))
    return exits.FAILED if failed else 0


async def _run(
    args: argparse.Namespace, calls: Sequence[Call], payloads: Sequence[bytes], loop: Loop, index: int
) -> Summary:
    tokens = 0

    def count(_number: int, _payload: int, reply: bytes) -> None:
        nonlocal tokens
        tokens += translation_pb2.TranslateResponse.FromString(reply).usage.target_tokens

    extent = Extent(requests=args.requests) if args.requests else Extent(seconds=args.seconds)
    seed = args.order_seed + index
    run = await generate(calls, payloads, loop, extent, seed=seed, timeout=args.timeout, on_reply=count)
    summary = summarize(run, slo=args.slo, tokens=tokens)
    if not args.quiet:
        print(f"{loop}, run {index + 1} of {args.runs}: {number(summary.throughput)} replies/s", file=sys.stderr)
    return summary


def _loops(args: argparse.Namespace) -> list[Loop]:
    return [OpenLoop(rate) for rate in args.rate] if args.rate else [ClosedLoop(count) for count in args.in_flight]


def _texts(args: argparse.Namespace) -> Sequence[str]:
    if args.file is None:
        if args.pieces:
            raise ValueError("our own sentences are no pieces: give --pieces with --file")
        return SENTENCES
    texts = []
    for line in read_lines(args.file.open("rb")):
        if line.problem:
            raise ValueError(f"{args.file}, line {line.number}: {line.problem}")
        source, _, _ = line.text.partition("\t")
        if source.strip():
            texts.append(source)
    if not texts:
        raise ValueError(f"{args.file} has no text: give a source, or source, tab, target, per line")
    return texts


def _rate(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of requests per second")
    return value
