"""What a soak calls a leak."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import soak
from benchmarks.soak import leaks, slope

QUIET = {"slots": 0.0, "line": 0.0, "tasks": 22.0, "fds": 17.0, "MB": 380.0, "threads": 15.0}
FLAT = [380.0, 384.0, 386.0, 385.0, 386.0, 385.0, 386.0, 385.0]

ENGINE = """
import sys, threading
files = [open(sys.executable) for _ in range(20)]
threads = [threading.Thread(target=threading.Event().wait, daemon=True) for _ in range(2)]
for thread in threads:
    thread.start()
print("ready", flush=True)
sys.stdin.read()
"""
SERVER = f"""
import subprocess, sys
with subprocess.Popen([sys.executable, "-c", {ENGINE!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as engine:
    print(engine.stdout.readline(), flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="processes are looked at in Linux's /proc")
def test_what_an_engine_holds_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads and files of the processes that a server has started are the server's too."""
    figures = {**dict.fromkeys(soak.HELD.values(), 3.0), "process_resident_memory_bytes": 1e6}
    monkeypatch.setattr(soak, "scrape", lambda _: figures)
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = soak.held(SimpleNamespace(http="", process=process))
        process.communicate()

    assert found["threads"] == 1 + 3
    assert found["fds"] >= 3 + 20


def test_what_is_held_as_before_is_no_leak() -> None:
    """Nor is less of it, or memory that grew at first only."""
    assert leaks(QUIET, {**QUIET, "fds": 16.0, "MB": 386.0}, FLAT) == []


@pytest.mark.parametrize("name", ["slots", "line", "tasks", "fds", "threads"])
def test_what_is_held_once_all_is_quiet_is_a_leak(name: str) -> None:
    """One of it is enough."""
    after = {**QUIET, name: QUIET[name] + 1}
    assert leaks(QUIET, after, FLAT) == [f"{name}: {QUIET[name]:.0f} before, {after[name]:.0f} after"]


def test_memory_that_grows_to_the_end_is_a_leak() -> None:
    """Its slope is told by the hour."""
    memory = [380.0 + 5 * minute for minute in range(8)]
    assert leaks(QUIET, QUIET, memory) == ["memory grew by 3.8 % over the second half"]
    assert slope([60.0 * minute for minute in range(8)], memory) == pytest.approx(300)
