"""A server that is measured: how it is started, spoken to and accounted for."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

PROC = Path("/proc")


@dataclass(frozen=True)
class Endpoint:
    """Say where a running server is called, and which process it is."""

    address: str  # HOST:PORT
    method: str  # /PACKAGE.SERVICE/METHOD
    pid: int


class Peer(Protocol):
    """Serve a bundle's graphs over gRPC, one text a call."""

    @property
    def name(self) -> str:
        """Return the label in tables."""
        ...

    def missing(self) -> str:
        """Say why it cannot run here; empty: it can."""
        ...

    def serve(self) -> AbstractContextManager[Endpoint]:
        """Start the server, wait until it answers, and stop it at the end.

        Raises:
            RuntimeError: it did not start; says why.
        """
        ...

    def payload(self, text: str) -> bytes:
        """Return a serialized request."""
        ...

    def text(self, reply: bytes) -> str:
        """Return the translation of a serialized reply."""
        ...

    def target_tokens(self, reply: bytes) -> int:
        """Return the pieces of a serialized reply's translation, the end symbol not counted."""
        ...


@dataclass(frozen=True)
class Usage:
    """Hold what a process and its descendants have taken so far."""

    cpu_seconds: float  # user and system, of ended and reaped children too
    peak_bytes: int  # sum of each process's own peak of resident memory, so what they share counts for each


def usage(pid: int) -> Usage:
    """Account for a process and all its living descendants (Linux).

    Raises:
        ProcessLookupError: there is no such process.
    """
    parents, ticks = {}, {}
    for process, fields in _stats():
        parents[process] = int(fields[1])
        ticks[process] = sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime of proc(5)
    if pid not in parents:
        raise ProcessLookupError(f"there is no process {pid}")
    tree = [pid]
    for one in tree:
        tree += [process for process, parent in parents.items() if parent == one]
    return Usage(sum(ticks[one] for one in tree) / os.sysconf("SC_CLK_TCK"), sum(map(_peak_bytes, tree)))


def children(pid: int) -> list[int]:
    """List the processes that a process has started and that have not ended (Linux)."""
    return [process for process, (state, parent, *_) in _stats() if int(parent) == pid and state != "Z"]


def _stats() -> Iterator[tuple[int, list[str]]]:
    """List all processes with the fields of their status from the state on, the third of proc(5)."""
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            try:
                line = (folder / "stat").read_text(errors="replace")
            except OSError:  # it has ended meanwhile
                continue
            yield int(folder.name), line.rpartition(")")[2].split()  # a name may hold spaces and brackets


def _peak_bytes(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "status").read_text(errors="replace").splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
