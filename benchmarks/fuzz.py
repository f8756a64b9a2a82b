"""Send requests that no client would, and see that each is answered with a reply or one of our errors.

python -m benchmarks.fuzz --requests 100000

Exits with 1, and prints the requests at fault, where the server answered otherwise, logged a traceback, kept a slot, or
translates differently after it. `--replay` sends such a request again.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator

from benchmarks.metrics import scrape
from seq2serve import Client
from tests.fuzz.caller import send_all
from tests.fuzz.requests import TEXT, Request, draw, requests
from tests.fuzz.verdict import Verdict
from tests.server_process import ServerProcess

BLOCK = 500  # requests that are drawn from one seed
SHOWN = 20  # requests at fault


def drawn(count: int, seed: int) -> Iterator[list[Request]]:
    """Draw requests block by block; seeds count up from `seed`."""
    while count > 0:
        block = draw(requests(), min(BLOCK, count), seed)
        yield block
        count, seed = count - len(block), seed + 1


def fuzz(server: ServerProcess, blocks: Iterable[list[Request]], in_flight: int) -> tuple[Verdict, list[str]]:
    """Send requests to a server; returns what came back, and what is wrong with the server afterwards."""
    verdict = Verdict()
    with Client(server.address) as client:
        before = client.translate(TEXT).text
        send_all(server.address, blocks, in_flight, verdict)
        after = client.translate(TEXT).text
    faults = [] if before == after else [f"{TEXT!r} was {before!r}, is {after!r} now"]
    metrics = scrape(server.http)
    faults += [
        f"{name} is {metrics[name]:.0f}"
        for name in ("seq2serve_slots_active", "seq2serve_queue_requests")
        if metrics[name]
    ]
    return verdict, faults + (["the log has a traceback"] if "Traceback" in server.log() else [])


def main() -> None:
    """Send, count and complain."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1, help="of the first block; the same requests for the same seed")
    parser.add_argument("--replay", nargs="+", metavar="METHOD=HEX", help="send these instead, one at a time")
    given = parser.parse_args()
    blocks: Iterable[list[Request]] = drawn(given.requests, given.seed)
    if given.replay:
        blocks = [[Request.parse(text) for text in given.replay]]
    started = time.perf_counter()
    with ServerProcess("--log-level", "warning") as server:
        verdict, faults = fuzz(server, blocks, 1 if given.replay else given.in_flight)
        log = server.log()
        status = server.stop()
    faults += [] if status == 0 else [f"the server ended with status {status}"]
    print(verdict.table())
    total = sum(verdict.counts.values())
    print(f"{total} requests from seed {given.seed} in {time.perf_counter() - started:.0f} s")
    for request, wrong in verdict.violations[:SHOWN]:
        print(f"{wrong}\n  --replay {request}")
    print(f"{len(verdict.violations)} violations; {'; '.join(faults) or 'the server is as before'}")
    if faults:
        print(log[-5000:], file=sys.stderr)
    sys.exit(1 if verdict.violations or faults else 0)


if __name__ == "__main__":
    main()
