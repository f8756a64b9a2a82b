"""Load from a process of its own: sends serialized requests, and writes what became of each.

python -m benchmarks.generator --address 127.0.0.1:50051 --payloads requests.bin --in-flight 64 --requests 1000 \
    --warm-up 100 --samples samples.json --replies replies.bin

PAYLOADS and REPLIES hold messages, each after its length in 4 bytes, big-endian. The warm-up is the same load, ended
by a number of requests, and written nowhere. REPLIES has the reply to each payload, in their order, of the first time
that it was sent: an empty one where that failed, or never was.
"""

import argparse
import asyncio
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from seq2serve import ServerUnreachable
from seq2serve.load import TRANSLATE, ClosedLoop, Extent, Loop, OpenLoop, Run, Samples, event_loop, open_calls
from seq2serve.load import generate as send
from tests.server_process import ROOT

HEAD = 4  # bytes of a length


class Generated(NamedTuple):
    """Hold what a generator process wrote; `replies` are those of the first pass, in the order of the payloads."""

    run: Run
    replies: list[bytes]


def generate(
    address: str,
    payloads: Sequence[bytes],
    loop: Loop,
    extent: Extent,
    *,
    method: str = TRANSLATE,
    warm_up: int = 0,
    seed: int = 0,
    timeout: float = 60.0,
    connections: int = 1,
) -> Generated:
    """Send the payloads from another process, and wait for it.

    Raises:
        RuntimeError: it failed; says why.
    """
    with tempfile.TemporaryDirectory() as folder:
        sent, samples, replies = (Path(folder, name) for name in ("payloads", "samples", "replies"))
        write_messages(sent, payloads)
        flags: dict[str, object] = {
            **asdict(loop),
            **{name: value for name, value in asdict(extent).items() if value < math.inf},
            **{"address": address, "method": method, "connections": connections},
            **{"warm_up": warm_up, "seed": seed, "timeout": timeout},
            **{"payloads": sent, "samples": samples, "replies": replies},
        }
        arguments = [f"--{name.replace('_', '-')}={value}" for name, value in flags.items()]
        command = [sys.executable, "-m", "benchmarks.generator", *arguments]
        ended = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
        if ended.returncode:
            raise RuntimeError(f"the load generator failed: {ended.stderr.strip()}")
        fields = json.loads(samples.read_text())
        run = Run(Samples.from_dict(fields["samples"]), fields["cpu_seconds"], fields["wall_seconds"])
        return Generated(run, read_messages(replies))


def read_messages(path: Path) -> list[bytes]:
    """Read messages, each after its length.

    Raises:
        ValueError: the file ends within one.
    """
    messages: list[bytes] = []
    with path.open("rb") as file:
        while head := file.read(HEAD):
            length = int.from_bytes(head, "big")
            message = file.read(length)
            if len(head) + len(message) < HEAD + length:
                raise ValueError(f"{path} ends within message {len(messages) + 1}: write it again")
            messages.append(message)
    return messages


def write_messages(path: Path, messages: Iterable[bytes]) -> None:
    """Write messages, each after its length."""
    path.write_bytes(b"".join(len(message).to_bytes(HEAD, "big") + message for message in messages))


async def measure(arguments: argparse.Namespace, payloads: Sequence[bytes]) -> Generated:
    """Send the load that the arguments describe, after the warm-up."""
    replies = [b""] * len(payloads)

    def keep(number: int, payload: int, reply: bytes) -> None:
        if number < len(payloads):
            replies[payload] = reply

    loop: Loop = OpenLoop(arguments.rate) if arguments.rate else ClosedLoop(arguments.in_flight)
    extent = Extent(requests=arguments.requests, seconds=arguments.seconds)
    warm_up = Extent(requests=arguments.warm_up)
    async with open_calls(arguments.address, arguments.method, arguments.connections) as calls:
        await send(calls, payloads, loop, warm_up, seed=arguments.seed, timeout=arguments.timeout)
        on_reply = keep if arguments.replies else None
        run = await send(
            calls, payloads, loop, extent, seed=arguments.seed, timeout=arguments.timeout, on_reply=on_reply
        )
    return Generated(run, replies)


def main() -> None:
    """Send, and write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", required=True)
    parser.add_argument("--method", default=TRANSLATE, help="default: %(default)s")
    parser.add_argument("--payloads", type=Path, required=True)
    load = parser.add_mutually_exclusive_group(required=True)
    load.add_argument("--in-flight", type=int)
    load.add_argument("--rate", type=float, help="requests per second")
    extent = parser.add_mutually_exclusive_group(required=True)
    extent.add_argument("--requests", type=int, default=math.inf)
    extent.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--warm-up", type=int, default=0, metavar="REQUESTS")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds from the intended start")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--replies", type=Path)
    arguments = parser.parse_args()
    payloads = read_messages(arguments.payloads)
    if not payloads:
        parser.error(f"{arguments.payloads} holds no message: write requests into it")
    try:
        with asyncio.Runner(loop_factory=event_loop) as runner:
            run, replies = runner.run(measure(arguments, payloads))
    except ServerUnreachable as error:
        sys.exit(f"{error}: start it, or name another with --address")
    cost = {"cpu_seconds": run.cpu_seconds, "wall_seconds": run.wall_seconds}
    arguments.samples.write_text(json.dumps({**cost, "samples": run.samples.as_dict()}))
    if arguments.replies:
        write_messages(arguments.replies, replies)


if __name__ == "__main__":
    main()
