"""What grpcurl does: calls made from the server's reflection alone, without compiled stubs."""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from seq2serve import Client
from tests.reflection_client import ReflectionClient
from tests.server_process import ServerProcess

OURS = "seq2serve.v1.TranslationService"
KSERVE = "inference.GRPCInferenceService"
TEXTS = ["Where is the station?", "The cat sleeps on the warm stove."]
SCALARS = ("name", "number", "type", "is_repeated")


@pytest.fixture(scope="module")
def reflected(channel: grpc.Channel) -> ReflectionClient:
    """Return a client that knows nothing but an address."""
    return ReflectionClient(channel)


def test_all_services_are_listed(reflected: ReflectionClient) -> None:
    """What is listed can be described, and nothing else is listed."""
    listed = set(reflected.database.get_services())
    assert listed == {
        *(OURS, "seq2serve.v1.ModelService", KSERVE),
        *("grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"),
    }
    assert all(reflected.pool.FindServiceByName(name).methods for name in listed)


def test_one_text(reflected: ReflectionClient, client: Client) -> None:
    """A translation, with options and messages in other files."""
    asked = {"text": TEXTS[1], "model": {"name": "en-de"}, "options": {"beam_size": 5}, "output": {"tokens": True}}
    (reply,) = reflected.call(OURS, "Translate", asked)
    expected = client.translate(TEXTS[1], beam_size=5, tokens=True).hypotheses[0]
    assert reply["hypotheses"][0]["text"] == expected.text
    assert reply["hypotheses"][0]["tokens"] == list(expected.tokens)


def test_stream(reflected: ReflectionClient, client: Client) -> None:
    """The parts of a stream join to the final text."""
    accepted, *parts, final = reflected.call(OURS, "TranslateStream", {"text": TEXTS[1]})
    assert "accepted" in accepted
    assert "".join(part["delta"].get("text", "") for part in parts) == final["final"]["hypotheses"][0]["text"]
    assert final["final"]["hypotheses"][0]["text"] == client.translate(TEXTS[1]).text


def test_inference_protocol(reflected: ReflectionClient, client: Client) -> None:
    """A tensor can be built from what the server says of its model; bytes are base64 in JSON."""
    (described,) = reflected.call(KSERVE, "ModelMetadata", {"name": "en-de"})
    (tensor,) = described["inputs"]
    given = {"name": tensor["name"], "datatype": tensor["datatype"], "shape": [1]}
    given["contents"] = {"bytes_contents": [b64encode(TEXTS[0].encode()).decode()]}
    (reply,) = reflected.call(KSERVE, "ModelInfer", {"model_name": described["name"], "inputs": [given]})
    assert reply["outputs"][0] == {"name": "text_output", "datatype": "BYTES", "shape": ["1"]}
    assert b64decode(reply["rawOutputContents"][0])[4:].decode() == client.translate(TEXTS[0]).text


def test_inference_protocol_is_tritons(reflected: ReflectionClient) -> None:
    """Every method, field and value of ours has Triton's name, number and type."""
    pytest.importorskip("tritonclient.grpc", reason="tritonclient is not installed (make test installs it)")
    from tritonclient.grpc import model_config_pb2, service_pb2

    ours = reflected.pool.FindServiceByName(KSERVE)
    theirs = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    for method in ours.methods:
        other = theirs.methods_by_name[method.name]
        assert (method.client_streaming, method.server_streaming) == (other.client_streaming, other.server_streaming)
        assert method.input_type.full_name == other.input_type.full_name
        assert method.output_type.full_name == other.output_type.full_name
    known = {**service_pb2.DESCRIPTOR.message_types_by_name, **model_config_pb2.DESCRIPTOR.message_types_by_name}
    for message in messages(ours.file.message_types_by_name.values()):
        name, *path = message.full_name.removeprefix("inference.").split(".")
        other = known[name]
        for part in path:
            other = other.nested_types_by_name[part]
        for field in message.fields:
            twin = other.fields_by_name[field.name]
            assert [getattr(field, one) for one in SCALARS] == [getattr(twin, one) for one in SCALARS]
            assert bool(field.containing_oneof) == bool(twin.containing_oneof)
            if field.message_type:
                assert field.message_type.full_name == twin.message_type.full_name
    values = {value.name: value.number for value in model_config_pb2.DataType.DESCRIPTOR.values}
    assert ours.file.enum_types_by_name["DataType"].values_by_name.items()
    for name, value in ours.file.enum_types_by_name["DataType"].values_by_name.items():
        assert values[name] == value.number


def messages(roots: Any) -> Iterator[Any]:
    """Go through messages and those inside them."""
    for message in roots:
        yield message
        yield from messages(message.nested_types)


def test_switched_off_adapter_is_not_listed() -> None:
    """Who looks does not find what is not served."""
    with ServerProcess("--no-kserve") as server, grpc.insecure_channel(server.address) as channel:
        listed = ReflectionClient(channel).database.get_services()
    assert KSERVE not in listed
    assert OURS in listed


def test_without_reflection_nothing_is_listed() -> None:
    """The method is not there, as clients that ask whether it is understand."""
    with ServerProcess("--no-reflection") as server, grpc.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            ReflectionClient(channel).database.get_services()
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
