"""Keep a server busy with all that clients do for a quarter of an hour, and see that nothing is left behind.

python -m benchmarks.soak ../shared/data/tatoeba-en-de/test.tsv

Prints what the server holds over time. Exits with 1 where a call ended as it must not, the log has a traceback, or
something is still held once all is quiet: a slot, a request in line, a task, a thread, a file descriptor, or memory
that grew all the time.
"""

import argparse
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy

from benchmarks.machine import describe_machine
from benchmarks.metrics import resident_bytes, scrape
from benchmarks.mixed_traffic import Caller
from benchmarks.peers.peer import children
from benchmarks.texts import draw_texts
from seq2serve import Client
from tests.fuzz.requests import Request, draw, requests
from tests.server_process import ServerProcess

TEXT = "The children are playing in the garden behind the house."
GARBAGE = 2000  # requests that no client would send, each sent many times
QUIET_SECONDS = 10.0  # after which nothing that a call needs is held any more
HELD = {
    "slots": "seq2serve_slots_active",
    "line": "seq2serve_queue_requests",
    "tasks": "seq2serve_event_loop_tasks",
    "fds": "process_open_fds",
}
GROWTH = 0.02  # of memory, over the second half of the run: more is a leak
Held = dict[str, float]


def held(server: ServerProcess) -> Held:
    """Return what a server holds, the processes of its engines included."""
    figures = scrape(server.http)
    found = {name: figures[metric] for name, metric in HELD.items()}
    server_pid = server.process.pid
    engines = children(server_pid)
    found["fds"] += sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in engines)
    threads = sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in (server_pid, *engines))
    return {**found, "MB": resident_bytes(figures) / 1e6, "threads": float(threads)}


def settle(server: ServerProcess) -> Held:
    """Return what a server holds after a while without calls."""
    time.sleep(QUIET_SECONDS)
    return held(server)


def slope(seconds: Sequence[float], memory: Sequence[float]) -> float:
    """Return by how many MB memory grows in an hour, by least squares."""
    return float(numpy.polyfit(seconds, memory, 1)[0]) * 3600


def drive(
    address: str,
    texts: Sequence[str],
    garbage: Sequence[Request],
    callers: int,
    seconds: float,
    stop: threading.Event,
) -> Counter[str]:
    """Make calls of all kinds, so many at a time; returns how they ended, with a `!` before what must not be."""
    end = time.monotonic() + seconds

    def run(number: int) -> Counter[str]:
        caller, counts = Caller(address, texts, garbage, number), Counter[str]()
        while time.monotonic() < end and not stop.is_set():
            kind, code, allowed = caller.call()
            counts[f"{'' if allowed else '!'}{kind} {code.name}"] += 1
        caller.close()
        return counts

    with ThreadPoolExecutor(callers) as pool:
        return sum(pool.map(run, range(callers)), Counter())


def leaks(before: Held, after: Held, memory: Sequence[float]) -> list[str]:
    """Say what is held after all that was not before."""
    more = [name for name in before if name != "MB" and after[name] > before[name]]
    found = [f"{name}: {before[name]:.0f} before, {after[name]:.0f} after" for name in more]
    half = memory[len(memory) // 2 :]
    third = max(1, len(half) // 3)
    grown = numpy.median(half[-third:]) / numpy.median(half[:third]) - 1
    return found + ([f"memory grew by {100 * grown:.1f} % over the second half"] if grown > GROWTH else [])


def main() -> None:
    """Drive, watch, and complain."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="a source, or columns that end with a source and a target, per line")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--callers", type=int, default=24)
    parser.add_argument("--every", type=float, default=15.0, help="seconds between looks at what is held")
    parser.add_argument("--options", default="", help="of our server")
    given = parser.parse_args()
    stop, sent = threading.Event(), (draw_texts(given.file), draw(requests(), GARBAGE, 1))
    print(describe_machine())
    with ServerProcess("--log-level", "warning", *given.options.split()) as server, Client(server.address) as client:
        expected = client.translate(TEXT).text
        drive(server.address, *sent, given.callers, 2 * given.every, stop)  # lanes and pools grow to their sizes
        before = settle(server)
        started, times, memory = time.monotonic(), [], []
        with ThreadPoolExecutor(1) as pool:
            driving = pool.submit(drive, server.address, *sent, given.callers, 60 * given.minutes, stop)
            try:
                while not driving.done():
                    time.sleep(given.every)
                    now = held(server)
                    times.append(time.monotonic() - started)
                    memory.append(now["MB"])
                    print(f"{times[-1]:5.0f} s  {'  '.join(f'{k} {v:.0f}' for k, v in now.items())}", flush=True)
            finally:
                stop.set()
            counts = driving.result()
        after = settle(server)
        faults = leaks(before, after, memory) + [f"{c} x {k[1:]}" for k, c in counts.items() if k.startswith("!")]
        if client.translate(TEXT).text != expected:
            faults.append("a text is translated differently than before")
        if "Traceback" in server.log():
            faults.append("the log has a traceback")
    for name, count in sorted(counts.items()):
        print(f"{count:8d}  {name}")
    half = len(times) // 2
    print(f"{counts.total()} calls; quiet before {before}, after {after}")
    print(f"memory {memory[0]:.0f} to {memory[-1]:.0f} MB, second half {slope(times[half:], memory[half:]):+.1f} MB/h")
    print("\n".join(faults) or "nothing is left behind")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
