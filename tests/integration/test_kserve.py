"""The inference protocol on the wire: what is refused, and what the server does meanwhile.

The messages are those of tritonclient's wheel, not the server's.
"""

import signal
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.metrics import scrape
from seq2serve import Client
from seq2serve.v1 import translation_pb2, translation_pb2_grpc
from tests.integration.test_errors import check, refused
from tests.server_process import ServerProcess

pytest.importorskip("tritonclient.grpc", reason="tritonclient is not installed (make test installs it)")
from tritonclient.grpc import service_pb2, service_pb2_grpc

SERVICE = "inference.GRPCInferenceService"
INVALID, NOT_FOUND = StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND
GARDEN = b"The children were playing in the garden when the rain began to fall."
Request = service_pb2.ModelInferRequest
Input, Output = Request.InferInputTensor, Request.InferRequestedOutputTensor
Parameter, Contents = service_pb2.InferParameter, service_pb2.InferTensorContents


def raw(*texts: bytes) -> bytes:
    """Write texts as the raw contents of a tensor."""
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def tensor(*texts: bytes, **fields: Any) -> Any:
    """Make an input with typed contents; `fields` take the place of what is right."""
    contents = Contents(bytes_contents=texts) if texts else None
    return Input(**{"name": "text_input", "datatype": "BYTES", "shape": [len(texts)], "contents": contents, **fields})


def request(*texts: bytes, **fields: Any) -> Any:
    """Make a request with typed contents; `fields` take the place of what is right."""
    return Request(**{"model_name": "en-de", "inputs": [tensor(*texts)], **fields})


def with_raw(content: bytes, count: int = 1, **fields: Any) -> Any:
    """Make a request with raw contents that is said to have `count` texts."""
    return request(inputs=[tensor(shape=[count])], raw_input_contents=[content], **fields)


def parameter(name: str, **value: Any) -> Any:
    """Make a request with one parameter."""
    return request(b"Hello.", parameters={name: Parameter(**value)})


CASES: dict[str, tuple[Any, StatusCode, str, str]] = {
    "no model": (request(b"Hello.", model_name=""), INVALID, "invalid_option", "model_name"),
    "unknown model": (request(b"Hello.", model_name="nobody"), NOT_FOUND, "model_not_found", ""),
    "unknown version": (request(b"Hello.", model_version="99"), NOT_FOUND, "version_not_found", ""),
    "version that is no number": (request(b"Hello.", model_version="new"), INVALID, "invalid_option", "model_version"),
    "digits of another script": (
        request(b"Hello.", model_version="\u0661"),
        INVALID,
        "invalid_option",
        "model_version",
    ),
    "id": (request(b"Hello.", id="ä"), INVALID, "invalid_option", "id"),
    "no input": (request(inputs=[]), INVALID, "invalid_option", "inputs"),
    "two inputs": (request(inputs=[tensor(b"a"), tensor(b"b")]), INVALID, "invalid_option", "inputs"),
    "input's name": (request(inputs=[tensor(b"a", name="text")]), INVALID, "invalid_option", "inputs[0].name"),
    "datatype": (request(inputs=[tensor(b"a", datatype="INT32")]), INVALID, "invalid_option", "inputs[0].datatype"),
    "shape [1, 1]": (request(inputs=[tensor(b"a", shape=[1, 1])]), INVALID, "invalid_option", "inputs[0].shape"),
    "no shape": (request(inputs=[tensor(b"a", shape=[])]), INVALID, "invalid_option", "inputs[0].shape"),
    "no text": (request(inputs=[tensor()]), INVALID, "invalid_option", "inputs[0].shape"),
    "negative shape": (request(inputs=[tensor(b"a", shape=[-1])]), INVALID, "invalid_option", "inputs[0].shape"),
    "too many texts": (request(*[b"a"] * 1025), INVALID, "invalid_option", "inputs[0].shape"),
    "shape above the contents": (request(inputs=[tensor(b"a", shape=[2])]), INVALID, "invalid_option", "text_input"),
    "shape below the contents": (
        request(inputs=[tensor(b"a", b"b", shape=[1])]),
        *(INVALID, "invalid_option", "text_input"),
    ),
    "contents of another type": (
        request(inputs=[tensor(shape=[1], contents=Contents(int_contents=[1]))]),
        *(INVALID, "invalid_option", "text_input"),
    ),
    "no contents": (request(inputs=[tensor(shape=[1])]), INVALID, "invalid_option", "text_input"),
    "both contents": (request(b"a", raw_input_contents=[raw(b"a")]), INVALID, "invalid_option", "inputs[0].contents"),
    "two raw contents": (
        request(inputs=[tensor(shape=[1])], raw_input_contents=[raw(b"a")] * 2),
        *(INVALID, "invalid_option", "raw_input_contents"),
    ),
    "raw length above the contents": (with_raw(b"\x05\0\0\0Hi"), INVALID, "invalid_option", "raw_input_contents"),
    "raw length cut": (with_raw(b"\x05\0"), INVALID, "invalid_option", "raw_input_contents"),
    "more raw texts": (with_raw(raw(b"a", b"b")), INVALID, "invalid_option", "raw_input_contents"),
    "fewer raw texts": (with_raw(raw(b"a"), 2), INVALID, "invalid_option", "text_input"),
    "not UTF-8": (request(b"Hello.", b"\xff"), INVALID, "invalid_option", "text_input[1]"),
    "blank": (request(b"Hello.", b" "), INVALID, "empty_source", "text_input[1]"),
    "too long": (request(b"Hello.", b"house " * 300), INVALID, "source_too_long", "text_input[1]"),
    "too many bytes": (request(b"x" * 70_000), INVALID, "source_too_long", "text_input[0]"),
    "parameter of an input": (
        request(inputs=[tensor(b"a", parameters={"shared_memory_region": Parameter(string_param="a")})]),
        *(INVALID, "invalid_option", "inputs[0].parameters"),
    ),
    "output": (request(b"a", outputs=[Output(name="logits")]), INVALID, "invalid_option", "outputs[0].name"),
    "output twice": (
        request(b"a", outputs=[Output(name="score"), Output(name="score")]),
        *(INVALID, "invalid_option", "outputs[1].name"),
    ),
    "parameter of an output": (
        request(b"a", outputs=[Output(name="score", parameters={"binary_data": Parameter(bool_param=True)})]),
        *(INVALID, "invalid_option", "outputs[0].parameters"),
    ),
    "unknown parameter": (parameter("beam", int64_param=2), INVALID, "invalid_option", "parameters"),
    "option that is a list": (parameter("end_tokens", string_param="."), INVALID, "invalid_option", "parameters"),
    "parameter without a value": (parameter("beam_size"), INVALID, "invalid_option", "parameters.beam_size"),
    "type of a number": (parameter("beam_size", double_param=2), INVALID, "invalid_option", "parameters.beam_size"),
    "type of a switch": (parameter("truncate", int64_param=1), INVALID, "invalid_option", "parameters.truncate"),
    "above 32 bits": (parameter("beam_size", int64_param=2**40), INVALID, "invalid_option", "parameters.beam_size"),
    "negative seed": (parameter("seed", int64_param=-1), INVALID, "invalid_option", "parameters.seed"),
    "out of range": (
        parameter("length_penalty", double_param=11),
        INVALID,
        "invalid_option",
        "parameters.length_penalty",
    ),
    "hypotheses": (
        request(b"a", parameters={n: Parameter(int64_param=2) for n in ("beam_size", "num_hypotheses")}),
        *(INVALID, "invalid_option", "parameters.num_hypotheses"),
    ),
    "shortlist": (
        parameter("use_shortlist", bool_param=True),
        *(StatusCode.FAILED_PRECONDITION, "unsupported_option", "parameters.use_shortlist"),
    ),
}


@pytest.fixture(scope="module")
def stub(channel: grpc.Channel) -> Any:
    """Return the protocol's stub."""
    return service_pb2_grpc.GRPCInferenceServiceStub(channel)


def texts_of(reply: Any) -> list[str]:
    """Return the texts of the first output."""
    content, texts = reply.raw_output_contents[0], []
    while content:
        end = 4 + struct.unpack_from("<I", content)[0]
        texts.append(content[4:end].decode())
        content = content[end:]
    return texts


@pytest.mark.parametrize("case", CASES)
def test_bad_request(stub: Any, server: ServerProcess, case: str) -> None:
    """Each case has its code and reason, names its field, and is counted under the same reason."""
    asked, code, reason, field = CASES[case]
    key = f"seq2serve_requests_rejected_total{{{reason}}}"
    before = scrape(server.http).get(key, 0)
    error = refused(lambda: stub.ModelInfer(asked))
    fields = check(error, code, reason)
    assert fields == ([field] if field else [])
    assert str(error.details()).startswith(f"{field}: " if field else "model '")
    assert scrape(server.http)[key] == before + 1


def test_typed_and_raw_contents_are_alike(stub: Any, client: Client) -> None:
    """Texts may come either way, also empty parameters and no version."""
    typed = stub.ModelInfer(request(GARDEN, b"Hello."))
    packed = stub.ModelInfer(with_raw(raw(GARDEN, b"Hello."), 2, model_version="1"))
    assert (
        texts_of(typed) == texts_of(packed) == [client.translate(GARDEN.decode()).text, client.translate("Hello.").text]
    )


def test_bytes_that_do_not_parse(channel: grpc.Channel) -> None:
    """Garbage is the caller's fault, alone and in a stream."""
    alone: Any = channel.unary_unary(f"/{SERVICE}/ModelInfer")
    check(refused(lambda: alone(b"\xff")), INVALID, "malformed_request")
    stream: Any = channel.stream_stream(f"/{SERVICE}/ModelStreamInfer")
    replies = stream(iter([request(b"Hello.").SerializeToString(), b"\xff"]))
    assert texts_of(service_pb2.ModelStreamInferResponse.FromString(next(replies)).infer_response)
    check(refused(lambda: next(replies)), INVALID, "malformed_request")


def finished(server: ServerProcess) -> float:
    """Return how many texts have left the engine."""
    counts = scrape(server.http)
    return sum(count for name, count in counts.items() if name.startswith("seq2serve_requests_finished_total"))


def test_nothing_begins_before_every_text_is_accepted(stub: Any, server: ServerProcess) -> None:
    """A call that cannot succeed costs the engine nothing."""
    before = finished(server)
    check(refused(lambda: stub.ModelInfer(request(*[GARDEN] * 500, b" "))), INVALID, "empty_source")
    assert finished(server) == before


def test_text_that_fails_gives_up_the_others() -> None:
    """A call that is refused room for one of its texts fails, and the rest of it is not translated."""
    with (
        ServerProcess("--slots", "2", "--queue-limit", "4") as narrow,
        grpc.insecure_channel(narrow.address) as channel,
    ):
        many = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer.future(request(*[GARDEN] * 1000))
        translation = translation_pb2_grpc.TranslationServiceStub(channel)
        crowd = []
        while not many.done():
            crowd.append(translation.Translate.future(translation_pb2.TranslateRequest(text=GARDEN.decode())))
            time.sleep(0.001)
        check(refused(many.result), StatusCode.RESOURCE_EXHAUSTED, "queue_full")
        answered = sum(one.exception() is None for one in crowd)
        assert finished(narrow) < answered + 1000


def test_cancelled_call_frees_its_slots(
    stub: Any, server: ServerProcess, cancels: Callable[[Callable[[], object]], None]
) -> None:
    """Who hangs up leaves nothing running and nothing in line."""
    asked = request(*[GARDEN] * 1000, parameters={"min_length": Parameter(int64_param=35)})
    call = stub.ModelInfer.future(asked)
    while not scrape(server.http)["seq2serve_slots_active"]:
        assert not call.done()
    cancels(call.cancel)


def test_many_texts_fit_into_a_short_line() -> None:
    """A call takes no more room than a batch of ours, so an idle server refuses none of it."""
    with (
        ServerProcess("--slots", "2", "--queue-limit", "4") as narrow,
        grpc.insecure_channel(narrow.address) as channel,
    ):
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        asked = request(*[b"Good morning."] * 100, parameters={"max_length": Parameter(int64_param=3)})
        assert len(texts_of(stub.ModelInfer(asked))) == 100
        replies = list(stub.ModelStreamInfer(iter([asked] * 5)))
        assert [len(texts_of(reply.infer_response)) for reply in replies] == [100] * 5


def test_refused_request_of_a_stream_has_its_id_and_reason(stub: Any, server: ServerProcess) -> None:
    """Its reply stands in the place of the translations, and is counted like an item of a bulk."""
    key = "seq2serve_requests_rejected_total{model_not_found}"
    before = scrape(server.http).get(key, 0)
    asked = [request(b"Hello.", model_name="nobody", id="first"), request(b"Hello.", id="second")]
    bad, good = stub.ModelStreamInfer(iter(asked))
    assert "served: en-de" in bad.error_message
    assert bad.infer_response.id == "first"
    assert bad.infer_response.parameters["seq2serve-reason"].string_param == "model_not_found"
    assert (good.error_message, good.infer_response.id) == ("", "second")
    assert scrape(server.http)[key] == before + 1


def test_drained_stream_answers_what_was_read() -> None:
    """After SIGTERM a stream that its client holds open ends with `draining`, and the server exits."""
    held = threading.Event()

    def requests() -> Iterator[Any]:
        yield request(GARDEN)
        held.wait(60)

    with ServerProcess() as server, grpc.insecure_channel(server.address) as channel:
        replies = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelStreamInfer(requests())
        assert texts_of(next(replies).infer_response)
        server.process.send_signal(signal.SIGTERM)
        check(refused(lambda: next(replies)), StatusCode.UNAVAILABLE, "draining")
        held.set()
        assert server.process.wait(60) == 0


def test_draining_server_is_alive_and_not_ready() -> None:
    """Probes of the protocol see what gRPC health sees, while the server still answers."""
    with ServerProcess("--drain-delay", "10") as server, grpc.insecure_channel(server.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        assert stub.ModelReady(service_pb2.ModelReadyRequest(name="en-de")).ready
        server.process.send_signal(signal.SIGTERM)
        while stub.ServerReady(service_pb2.ServerReadyRequest()).ready:
            assert server.process.poll() is None
        assert not stub.ModelReady(service_pb2.ModelReadyRequest(name="en-de")).ready
        assert stub.ServerLive(service_pb2.ServerLiveRequest()).live
        assert texts_of(stub.ModelInfer(request(b"Hello.")))
        server.stop(signal.SIGKILL)


def test_calls_are_counted_and_logged_with_their_model() -> None:
    """The metrics name the service's methods; the access log has what was translated by whom, and no probes."""
    with ServerProcess("--log-format", "json") as server:
        with grpc.insecure_channel(server.address) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            assert stub.ServerReady(service_pb2.ServerReadyRequest()).ready
            stub.ModelInfer(request(b"Confidential words.", id="an-id"))
            stub.ModelInfer(request(b"Confidential words.", b"Hello."))
            assert len(list(stub.ModelStreamInfer(iter([request(b"Confidential words.")])))) == 1
        counts = scrape(server.http)
        server.stop()
        lines = [line for line in server.log().splitlines() if '"event": "call"' in line]
    assert counts[f"grpc_server_handled_total{{OK,ModelInfer,{SERVICE},unary}}"] == 2
    assert counts[f"grpc_server_handled_total{{OK,ModelStreamInfer,{SERVICE},stream}}"] == 1
    assert counts[f"grpc_server_handled_total{{OK,ServerReady,{SERVICE},unary}}"] == 1
    assert counts["seq2serve_request_duration_seconds_count"] == 4
    assert len(lines) == 3
    assert all(f'"method": "/{SERVICE}/Model' in line and '"model": "en-de/1"' in line for line in lines)
    assert '"id": "an-id"' in lines[0]
    assert '"decode_ms"' in lines[0]
    assert "Confidential" not in "".join(lines)


def test_health_knows_the_service(channel: grpc.Channel) -> None:
    """Probes may ask for it by name."""
    asked = health_pb2.HealthCheckRequest(service=SERVICE)
    assert health_pb2_grpc.HealthStub(channel).Check(asked).status == health_pb2.HealthCheckResponse.SERVING


def test_switched_off() -> None:
    """Without the adapter nobody answers, and health does not know the service."""
    with ServerProcess("--no-kserve") as server, grpc.insecure_channel(server.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        error = refused(lambda: stub.ServerLive(service_pb2.ServerLiveRequest()))
        assert error.code() is StatusCode.UNIMPLEMENTED
        health = health_pb2_grpc.HealthStub(channel)
        unknown = refused(lambda: health.Check(health_pb2.HealthCheckRequest(service=SERVICE)))
        assert unknown.code() is StatusCode.NOT_FOUND
