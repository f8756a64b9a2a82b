"""What a client sees of a server it sees through the balancer, too."""

from pathlib import Path

import grpc
import pytest

from seq2serve import Client
from seq2serve.errors import Seq2ServeError
from seq2serve.v1 import translation_pb2, translation_pb2_grpc
from tests.compose_stack import ComposeStack
from tests.e2e.counts import total
from tests.eventually import eventually
from tests.node_example import install
from tests.reflection_client import ReflectionClient

OURS = "seq2serve.v1.TranslationService"
TEXT = "The old bridge was closed for two years."
CANCELLED = "seq2serve_requests_finished_total{cancelled}"
LONG = " ".join(f"We walked to lake number {number} and then to the next village." for number in range(40))


def test_a_cancelled_call_frees_its_slots(stack: ComposeStack) -> None:
    """The balancer passes the end of a stream on."""
    before = total(stack, CANCELLED)
    with grpc.insecure_channel(stack.address) as channel:
        request = translation_pb2.TranslateRequest(text=LONG)
        request.options.beam_size = 12
        request.input.split_sentences = True
        call = translation_pb2_grpc.TranslationServiceStub(channel).TranslateStream(request)
        next(iter(call))
        assert eventually(lambda: total(stack, "seq2serve_slots_active") > 0)
        call.cancel()
        assert eventually(lambda: total(stack, CANCELLED) > before)
        assert eventually(lambda: total(stack, "seq2serve_slots_active") == 0)
    assert total(stack, "seq2serve_queue_requests") == 0


def test_errors_keep_their_reasons(stack: ComposeStack) -> None:
    """Status, details and trailers pass unchanged."""
    with Client(stack.address) as client, pytest.raises(Seq2ServeError) as caught:
        client.translate(" ")
    assert caught.value.reason == "empty_source"
    assert caught.value.request_id


def test_metadata_that_is_too_large_fails_its_call_alone(stack: ComposeStack) -> None:
    """And not the connection, with the calls of others."""
    with grpc.insecure_channel(stack.address, options=(("grpc.enable_retries", 0),)) as channel:
        stub = translation_pb2_grpc.TranslationServiceStub(channel)
        other = stub.Translate.future(translation_pb2.TranslateRequest(text=TEXT), timeout=60)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Translate(
                translation_pb2.TranslateRequest(text=TEXT), metadata=(("x-large", "x" * 20_000),), timeout=60
            )
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert other.result().hypotheses


def test_a_client_that_knows_nothing_but_the_address(stack: ComposeStack) -> None:
    """Reflection, as grpcurl uses it."""
    with grpc.insecure_channel(stack.address) as channel, Client(stack.address) as client:
        (reply,) = ReflectionClient(channel).call(OURS, "Translate", {"text": TEXT})
        assert reply["hypotheses"][0]["text"] == client.translate(TEXT).text


def test_a_client_in_another_language(stack: ComposeStack, tmp_path: Path) -> None:
    """The example for Node."""
    run = install(tmp_path)(stack.address, TEXT)
    with Client(stack.address) as client:
        assert (run.returncode, run.stdout) == (0, f"{client.translate(TEXT).text}\n"), run.stderr
