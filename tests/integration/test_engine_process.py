"""A server and its engine are two processes, and neither goes on without the other."""

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.metrics import scrape
from seq2serve import Client, InternalError
from tests.eventually import eventually
from tests.server_process import ServerProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in Linux's /proc")
STARTED = "grpc_server_started_total{Translate,seq2serve.v1.TranslationService,unary}"


def children(pid: int) -> list[int]:
    """List the processes that a process has started and that have not ended."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            state, parent = file.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(file.parent.name))
    return found


def test_an_engine_that_dies_ends_the_server() -> None:
    """The call that it had fails, and so does the server, for whoever watches over it to start it again."""
    with ServerProcess() as server, Client(server.address) as client:
        (engine,) = children(server.process.pid)
        os.kill(engine, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as thread:
            call = thread.submit(client.translate, "The lamp in the hall is still burning.")
            assert eventually(lambda: scrape(server.http).get(STARTED, 0) == 1)
            os.kill(engine, signal.SIGKILL)
            with pytest.raises(InternalError):
                call.result(60)
        assert server.process.wait(60) == 1
        assert "the engine's process was ended by SIGKILL" in server.log()
        assert "an engine has died" in server.log()


def test_a_server_that_dies_takes_its_engine_along() -> None:
    """However it dies: the engine's sockets are closed then."""
    with ServerProcess() as server:
        (engine,) = children(server.process.pid)
        server.process.kill()
        server.process.wait(60)
        status = Path(f"/proc/{engine}/stat")
        assert eventually(lambda: not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z")
