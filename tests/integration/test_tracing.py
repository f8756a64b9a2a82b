"""Traces, proved against a receiver that takes what OpenTelemetry's exporter sends."""

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from concurrent import futures
from itertools import pairwise
from pathlib import Path

import grpc
import pytest

from seq2serve.v1 import translation_pb2, translation_pb2_grpc
from tests.server_process import ROOT, ServerProcess

trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc")
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: E402
from opentelemetry.proto.trace.v1 import trace_pb2  # noqa: E402

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = (("traceparent", f"00-{TRACE}-{SPAN}-01"),)
UNSAMPLED = (("traceparent", f"00-{TRACE}-{SPAN}-00"),)
STAGES = ("tokenize", "queue", "encode", "decode", "detokenize")
TEXT = "The children are playing in the garden."
Spans = list[trace_pb2.Span]


class Receiver(trace_service.TraceServiceServicer):  # type: ignore[misc, name-defined]
    """Take spans by OTLP over gRPC."""

    def __init__(self) -> None:
        self.spans: Spans = []
        self.resources: list[dict[str, str]] = []
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        trace_service.add_TraceServiceServicer_to_server(self, self._server)
        self.endpoint = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        self._lock = threading.Lock()

    def Export(  # noqa: N802
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        """Keep what was sent."""
        with self._lock:
            for group in request.resource_spans:
                self.resources.append({one.key: one.value.string_value for one in group.resource.attributes})
                for scope in group.scope_spans:
                    self.spans.extend(scope.spans)
        return trace_service_pb2.ExportTraceServiceResponse()

    def close(self) -> None:
        self._server.stop(0)

    def below(self, parent: trace_pb2.Span) -> Spans:
        """List the spans in another, as they began."""
        found = [span for span in self.spans if span.parent_span_id == parent.span_id]
        return sorted(found, key=lambda span: span.start_time_unix_nano)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def seconds(spans: Spans) -> float:
    """Add up how long spans took."""
    return sum(span.end_time_unix_nano - span.start_time_unix_nano for span in spans) / 1e9


def facts(span: trace_pb2.Span) -> dict[str, str | int]:
    """Return the attributes of a span."""
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_each_stage_of_each_text_is_a_span_in_the_caller_s_trace(receiver: Receiver) -> None:
    """Call, texts and stages nest, take what the replies say, and hold no word of a text; SIGTERM loses none."""
    with ServerProcess("--otlp-endpoint", receiver.endpoint) as server:
        with grpc.insecure_channel(server.address) as channel:
            stub = translation_pb2_grpc.TranslationServiceStub(channel)
            request = translation_pb2.TranslateRequest(text=TEXT, request_id="mine")
            reply = stub.Translate(request, metadata=SAMPLED)
            items = [translation_pb2.TranslateRequest(text=f"{TEXT} {n}") for n in range(3)]
            stub.TranslateBatch(translation_pb2.TranslateBatchRequest(items=items), metadata=SAMPLED)
            stub.Translate(request, metadata=UNSAMPLED)
            with pytest.raises(grpc.RpcError):
                stub.Translate(translation_pb2.TranslateRequest(), metadata=SAMPLED)
        assert server.stop(signal.SIGTERM) == 0
        assert re.search(rf'"trace": "{TRACE}"', server.log())
    assert {span.trace_id.hex() for span in receiver.spans} == {TRACE}
    assert receiver.resources[0]["service.name"] == "seq2serve"
    calls = {span.name.split("/")[1]: span for span in receiver.spans if span.parent_span_id.hex() == SPAN}
    alone = [span for span in receiver.spans if span.name.endswith("/Translate")]
    assert [span.kind for span in alone] == [trace_pb2.Span.SPAN_KIND_SERVER] * 2  # the third was not sampled
    good, bad = alone
    assert facts(good)["rpc.grpc.status_code"] == "OK"
    assert facts(bad)["error.type"] == "empty_source"
    assert bad.status.code == trace_pb2.Status.STATUS_CODE_ERROR
    (text,) = receiver.below(good)
    assert facts(text)["seq2serve.request_id"] == "mine"
    assert facts(text)["seq2serve.source_tokens"] == reply.usage.source_tokens
    stages = receiver.below(text)
    assert {span.name for span in stages} == set(STAGES)
    assert seconds([text]) == pytest.approx(reply.timing.total.ToNanoseconds() / 1e9, abs=1e-6)
    for stage in STAGES:
        said = getattr(reply.timing, stage).ToNanoseconds() / 1e9
        assert seconds([span for span in stages if span.name == stage]) == pytest.approx(said, abs=1e-6)
    assert all(one.end_time_unix_nano <= other.start_time_unix_nano for one, other in pairwise(stages))
    texts = receiver.below(calls["TranslateBatch"])
    assert [span.name for span in texts] == ["text"] * 3
    assert all({span.name for span in receiver.below(one)} == set(STAGES) for one in texts)
    assert "garden" not in str(receiver.spans)


def test_without_a_ratio_only_callers_begin_traces(receiver: Receiver) -> None:
    """--trace-ratio 0 keeps what a caller wants kept, and nothing else; health checks are never kept."""
    with (
        ServerProcess("--otlp-endpoint", receiver.endpoint, "--trace-ratio", "0") as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = translation_pb2_grpc.TranslationServiceStub(channel)
        stub.Translate(translation_pb2.TranslateRequest(text=TEXT))
        channel.unary_unary("/grpc.health.v1.Health/Check")(b"", metadata=SAMPLED)
        assert server.stop(signal.SIGTERM) == 0
    assert receiver.spans == []


def test_a_collector_that_is_gone_costs_no_call() -> None:
    """Translations go on, and the server stops as it should."""
    with ServerProcess("--otlp-endpoint", "http://127.0.0.1:1") as server:
        with grpc.insecure_channel(server.address) as channel:
            stub = translation_pb2_grpc.TranslationServiceStub(channel)
            assert stub.Translate(translation_pb2.TranslateRequest(text=TEXT)).hypotheses[0].text
        assert server.stop(signal.SIGTERM) == 0


def test_exemplars_lead_to_the_caller_s_trace(server: ServerProcess) -> None:
    """Without a collector, a sampled call still leaves its trace at its buckets; one that is not sampled does not."""
    other = "1" * 32
    with grpc.insecure_channel(server.address) as channel:
        stub = translation_pb2_grpc.TranslationServiceStub(channel)
        for metadata in (SAMPLED, (("traceparent", f"00-{other}-{SPAN}-00"),), (("traceparent", "nonsense"),)):
            stub.Translate(translation_pb2.TranslateRequest(text=TEXT), metadata=metadata)
    request = urllib.request.Request(f"{server.http}/metrics", headers={"Accept": "application/openmetrics-text"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        lines = reply.read().decode().splitlines()
    for name in (
        "seq2serve_request_duration_seconds",
        "seq2serve_request_stage_duration_seconds",
        "grpc_server_handling",
    ):
        assert any(line.startswith(name) and f'# {{trace_id="{TRACE}"}}' in line for line in lines), name
    assert not any(other in line or "nonsense" in line for line in lines)


def test_opentelemetry_is_asked_for_and_missing(tmp_path: Path) -> None:
    """The server says what to install instead of starting without traces."""
    (tmp_path / "opentelemetry.py").write_text("raise ImportError('hidden')\n")
    command = [sys.executable, "-m", "service", "--otlp-endpoint", "http://127.0.0.1:4317"]
    path = os.pathsep.join([str(tmp_path), str(ROOT / "client")])
    run = subprocess.run(
        [*command, "--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    assert "requirements/tracing.txt" in run.stderr
    assert "TRACING=1" in run.stderr
    assert "Traceback" not in run.stderr
