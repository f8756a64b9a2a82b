"""A server and its engine are two processes: neither goes on without the other, and threads of both take turns."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from benchmarks.metrics import scrape
from benchmarks.peers.peer import PROC, children
from seq2serve import Client, InternalError
from tests.batch_policy import needs_batch
from tests.eventually import eventually
from tests.server_process import ServerProcess

pytestmark = pytest.mark.skipif(not PROC.is_dir(), reason="processes are found in Linux's /proc")
STARTED = "grpc_server_started_total{Translate,seq2serve.v1.TranslationService,unary}"


def is_running(pid: int) -> bool:
    """Tell whether a process has not ended; nobody may have taken note of its end yet."""
    status = PROC / str(pid) / "stat"
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


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
        assert eventually(lambda: not is_running(engine))


def test_an_engine_is_in_its_servers_session_and_in_a_group_of_its_own() -> None:
    """Linux shares the cores among sessions first; a terminal signals groups."""
    with ServerProcess() as server:
        (engine,) = children(server.process.pid)
        assert os.getsid(engine) == os.getsid(server.process.pid)
        assert os.getpgid(engine) == engine


@needs_batch
def test_all_threads_take_turns() -> None:
    """Those of the server, of gRPC and of the engine wait for their turn on a core and interrupt no step."""
    with ServerProcess() as server, Client(server.address) as client:
        client.translate("The lamp in the hall is still burning.")
        (engine,) = children(server.process.pid)
        for process in (server.process.pid, engine):
            policies = []
            for thread in (PROC / str(process) / "task").iterdir():
                with suppress(ProcessLookupError):  # it may have ended since it was listed
                    policies.append(os.sched_getscheduler(int(thread.name)))
            assert len(policies) > 1
            assert set(policies) == {os.SCHED_BATCH}


@needs_batch
def test_a_sandbox_that_refuses_turns_has_a_server_all_the_same() -> None:
    """The log says what it lacks."""
    with ServerProcess(module="tests.sandboxed_server") as server, Client(server.address) as client:
        assert client.translate("The lamp in the hall is still burning.").text
        assert "the system refuses SCHED_BATCH ([Errno 1] Operation not permitted)" in server.log()
        assert os.sched_getscheduler(server.process.pid) == os.SCHED_OTHER
