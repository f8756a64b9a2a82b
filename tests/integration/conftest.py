"""One real server for all tests that only talk to it."""

import time
from collections.abc import Callable, Iterator

import grpc
import pytest

from benchmarks.metrics import scrape
from seq2serve import Client
from seq2serve.v1 import model_pb2_grpc, translation_pb2_grpc
from tests.server_process import ServerProcess

CANCELLED = "seq2serve_requests_finished_total{cancelled}"

PATIENCE = 300.0  # seconds: no machine is so busy that a long text is refused
PATIENT = ("--default-deadline", str(PATIENCE))


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    """Start a server with the bundled model."""
    with ServerProcess(*PATIENT) as process:
        yield process


@pytest.fixture(scope="session")
def fp32_server() -> Iterator[ServerProcess]:
    """Start a server whose numbers are the same on every machine, but for rounding."""
    with ServerProcess(*PATIENT, "--precision", "fp32") as process:
        yield process


@pytest.fixture(scope="session")
def channel(server: ServerProcess) -> Iterator[grpc.Channel]:
    """Open a plain channel, as a client of any language would."""
    with grpc.insecure_channel(server.address) as opened:
        yield opened


@pytest.fixture(scope="session")
def translation(channel: grpc.Channel) -> translation_pb2_grpc.TranslationServiceStub:
    """Return the stub of TranslationService."""
    return translation_pb2_grpc.TranslationServiceStub(channel)


@pytest.fixture(scope="session")
def models(channel: grpc.Channel) -> model_pb2_grpc.ModelServiceStub:
    """Return the stub of ModelService."""
    return model_pb2_grpc.ModelServiceStub(channel)


@pytest.fixture(scope="session")
def client(server: ServerProcess) -> Iterator[Client]:
    """Open our own client."""
    with Client(server.address, timeout=PATIENCE) as opened:
        yield opened


@pytest.fixture(scope="session")
def cancels(server: ServerProcess) -> Callable[[Callable[[], object]], None]:
    """Return what calls something that cancels a running call, and waits until nothing of that is left."""

    def check(cancel: Callable[[], object]) -> None:
        before = scrape(server.http).get(CANCELLED, 0)
        cancel()
        end = time.monotonic() + 30
        while True:
            now = scrape(server.http)
            taken = now["seq2serve_slots_active"] + now["seq2serve_queue_requests"]
            if now.get(CANCELLED, 0) > before and not taken:
                return
            assert time.monotonic() < end, f"{taken} run or wait, {now.get(CANCELLED, 0) - before} were cancelled"
            time.sleep(0.02)

    return check
