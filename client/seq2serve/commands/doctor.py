"""`seq2serve doctor`: what is wrong with a service, and what to do about it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import grpc

from seq2serve.channel import open_channel
from seq2serve.commands import connection, exits
from seq2serve.commands.number import at_least
from seq2serve.doctor.finding import Finding, Level, report
from seq2serve.doctor.prometheus import check_prometheus
from seq2serve.doctor.server import check_health, check_models, check_reached
from seq2serve.doctor.spread import ask, check_spread

_CALLS = 30


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subcommands.add_parser(
        "doctor",
        help="say what is wrong with a server, and what to do",
        description="Look at a server, or at many behind one address, as a client does: connection, health, models, "
        "spread over replicas and, with --prometheus, whether all of them are scraped and which alerts fire.",
    )
    parser.add_argument("--replicas", type=at_least(1), metavar="N", help="how many servers must answer at the address")
    parser.add_argument(
        "--calls",
        type=at_least(1),
        default=_CALLS,
        metavar="N",
        help="how many calls to see spread (default: %(default)s)",
    )
    parser.add_argument("--prometheus", metavar="URL", help="ask this Prometheus, too, such as http://127.0.0.1:9090")
    connection.add_flags(parser)
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Print what was found; fail where something is wrong."""
    return exits.FAILED if report(examine(args)) else 0


def examine(args: argparse.Namespace) -> Iterator[Finding]:
    """Check one thing after the other."""
    with open_channel(args.address, connection.access(args)) as channel:
        reached = check_reached(channel, args.address, args.timeout)
        yield reached
        if reached.level is Level.OK:
            yield from _examine_server(args, channel)
    if args.prometheus:
        yield from check_prometheus(args.prometheus, args.replicas, args.timeout)


def _examine_server(args: argparse.Namespace, channel: grpc.Channel) -> Iterator[Finding]:
    yield check_health(channel, args.timeout)
    with connection.connect(args) as client:
        found = list(check_models(client, args.timeout))
    yield from found
    if found[0].level is Level.FAULT and found[0].subject == "models":
        return
    try:
        seen = ask(channel, connection.access(args).metadata(args.address), args.calls, args.timeout)
    except grpc.RpcError as error:
        yield Finding(Level.FAULT, "spread", f"{error.code().name}: {error.details()}", "look at the servers' logs")
        return
    yield check_spread(seen, args.replicas)
