"""Calls of many texts by the inference protocol are one whole: to a client's share, and to versions that leave."""

import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc import StatusCode

from benchmarks.metrics import scrape
from seq2serve.v1 import admin_pb2
from tests.integration.test_errors import check, refused
from tests.integration.test_kserve import GARDEN, Parameter, Request, request, service_pb2_grpc, texts_of
from tests.integration.test_lifecycle import END, administered, put, repository  # noqa: F401, a fixture
from tests.server_process import ServerProcess

SPLIT = {"split_sentences": Parameter(bool_param=True)}  # so that reading a text gives way to others


@pytest.fixture
def two(repository: Path) -> Path:  # noqa: F811
    """Make a repository with versions 1 and 2, of which the second says three pieces at most."""
    put(repository, 2, curt=True)
    return repository


def test_refused_call_keeps_no_version(two: Path) -> None:
    """Those of its texts that were accepted are let go, so that their version can leave."""
    with administered(two) as (server, admin), grpc.insecure_channel(server.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        check(refused(lambda: stub.ModelInfer(request(GARDEN, b" "))), StatusCode.INVALID_ARGUMENT, "empty_source")
        asked = admin_pb2.UnloadModelRequest(name="en-de", version=2)
        assert admin.UnloadModel(asked, timeout=30).status.state == END


def test_versions_are_swapped_without_a_lost_call(two: Path) -> None:
    """What waits for its turn in a stream, or is being read, is translated by the version that it was to have."""
    with administered(two) as (server, admin), grpc.insecure_channel(server.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        asked, answered = request(*[GARDEN] * 50, parameters=SPLIT), threading.Event()

        def requests() -> Iterator[Request]:
            yield asked
            assert answered.wait(60)
            yield from [asked] * 10
            left = admin.UnloadModel(admin_pb2.UnloadModelRequest(name="en-de", version=2), timeout=60)
            assert left.status.state == END
            yield asked

        replies = []
        for reply in stub.ModelStreamInfer(requests()):
            assert reply.error_message == ""
            replies.append(reply.infer_response)
            answered.set()
        assert [len(texts_of(reply)) for reply in replies] == [50] * 12
        versions = [reply.model_version for reply in replies]
        assert (versions[0], versions[-1]) == ("2", "1")
        assert versions == sorted(versions, reverse=True)
        said = {(reply.model_version, text) for reply in replies for text in texts_of(reply)}
        assert len(said) == 2  # each version what it says
        assert len({text for _, text in said}) == 2


def test_times_of_many_add_up() -> None:
    """Each text has its own, from when it was read."""
    with ServerProcess() as server, grpc.insecure_channel(server.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        assert len(texts_of(stub.ModelInfer(request(*[GARDEN] * 100, parameters=SPLIT)))) == 100
        figures = scrape(server.http)
    stages = {name: value for name, value in figures.items() if "stage_duration_seconds_sum" in name}
    assert len(stages) == 5
    assert min(stages.values()) >= 0
    assert sum(stages.values()) <= figures["seq2serve_request_duration_seconds_sum"]


def test_many_take_their_share_together() -> None:
    """Who has any left may go into debt with one call, however many texts it has; the next one waits."""
    with ServerProcess("--client-tokens-per-second", "2") as server, grpc.insecure_channel(server.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        asked = request(*[GARDEN] * 20)
        assert len(texts_of(stub.ModelInfer(asked))) == 20
        check(refused(lambda: stub.ModelInfer(asked)), StatusCode.RESOURCE_EXHAUSTED, "client_limit")
