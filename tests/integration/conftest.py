"""One real server for all tests that only talk to it."""

from collections.abc import Iterator

import grpc
import pytest

from seq2serve.v1 import model_pb2_grpc, translation_pb2_grpc
from tests.server_process import ServerProcess


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    """Start a server with the bundled model."""
    with ServerProcess() as process:
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
