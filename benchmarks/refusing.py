"""What a refusal costs at least: a bare grpc.aio server that refuses every call while others keep the cores busy.

python -m benchmarks.refusing --rate 200

Prints how long refusals take, from when the call was to start, on idle cores and on busy ones. Those who keep them busy
are processes as nice as our engine's threads, which do not need the interpreter that the server needs.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import grpc

from benchmarks.generator import generate
from benchmarks.machine import describe_machine
from benchmarks.overload import REFUSED, latencies
from seq2serve.load import TRANSLATE, Extent, OpenLoop, percentile
from service.cpu import NICENESS

DETAILS = (("grpc-status-details-bin", bytes(200)),)


async def refuse() -> None:
    """Serve until killed; prints the port."""

    async def handler(request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too late", DETAILS)
        return b""

    _, service, method = TRANSLATE.split("/")
    handlers: dict[str, Any] = {method: grpc.unary_unary_rpc_method_handler(handler)}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await server.wait_for_termination()


@contextlib.contextmanager
def running(*command: str, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """Run a Python program, and kill it in the end."""
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True, **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    """Print a line for idle and one for busy cores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=200.0, help="calls a second")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(refuse())
    print(describe_machine())
    for busy in (0, os.cpu_count() or 1):
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(running("-m", "benchmarks.refusing", "--serve"))
            assert server.stdout is not None
            address = f"127.0.0.1:{server.stdout.readline().strip()}"
            for _ in range(busy):
                spinning = stack.enter_context(running("-c", "while True: pass"))
                os.setpriority(os.PRIO_PROCESS, spinning.pid, NICENESS)
            loop, extent = OpenLoop(given.rate), Extent(seconds=given.seconds)
            run = generate(address, [bytes(200)], loop, extent, warm_up=100, connections=4).run
            refused = latencies(run, REFUSED)
        p50, p99 = statistics.median(refused), percentile(refused, 99) or 0
        print(f"{busy} busy cores, {given.rate:.0f} calls/s: refusals p50 {1000 * p50:.1f}, p99 {1000 * p99:.1f} ms")


if __name__ == "__main__":
    main()
