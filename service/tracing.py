"""Whose trace a call belongs to and, where a collector is set, a span for the call, each text and each stage."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from service import VERSION
from service.errors import StartupError
from service.request import Request
from service.times import Times, intervals_of

if TYPE_CHECKING:
    from service.call import Call
    from service.model import Model

PARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")  # W3C Trace Context, version 0
SAMPLED = 1
EXPORT_SECONDS = 5.0  # that a collector has to take a batch of spans
NANO = 1e9


class Tracing:
    """Know the trace that a caller names, for exemplars and the log, and keep no spans."""

    def begin(self, call: "Call", metadata: Mapping[str, Any]) -> None:
        """Let a call belong to the trace of its metadata, if that is kept."""
        if parent := metadata.get("traceparent"):
            found = PARENT.fullmatch(str(parent))
            if found and int(found[2], 16) & SAMPLED:
                call.trace_id = found[1]

    def translated(self, call: "Call", model: "Model", requests: Sequence[Request], times: Times) -> None:
        """Note a text of a call that was answered by way of these requests."""

    def end(self, call: "Call", code: str) -> None:
        """Note that a call ended with a status code."""

    def close(self) -> None:
        """Send what is left."""


class Spans(Tracing):
    """Send spans to a collector by OTLP over gRPC: SERVER for the call, and in it each text, and in that its stages."""

    def __init__(self, endpoint: str, ratio: float, replica: str) -> None:
        """Take the collector's URL, and the share of calls that begin a trace; who brings one has decided.

        Raises:
            StartupError: OpenTelemetry is not installed.
        """
        try:
            from opentelemetry import trace
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ImportError as error:
            how = "pip install -r requirements/tracing.txt, build the image with TRACING=1, or leave it out"
            raise StartupError(
                f"--otlp-endpoint {endpoint}: OpenTelemetry is not installed ({error}); {how}"
            ) from error
        resource = Resource.create(
            {"service.name": "seq2serve", "service.version": VERSION, "service.instance.id": replica}
        )
        exporter = OTLPSpanExporter(endpoint, insecure=endpoint.startswith("http://"), timeout=EXPORT_SECONDS)
        self._provider = TracerProvider(sampler=ParentBasedTraceIdRatio(ratio), resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("seq2serve", VERSION)
        self._extract = TraceContextTextMapPropagator().extract
        self._trace = trace

    def begin(self, call: "Call", metadata: Mapping[str, Any]) -> None:
        """Begin the span of a call, in the trace of its metadata or in a new one."""
        carrier = {name: str(metadata[name]) for name in ("traceparent", "tracestate") if name in metadata}
        _, service, method = call.method.split("/", 2)
        span = self._tracer.start_span(
            f"{service}/{method}",
            self._extract(carrier),
            self._trace.SpanKind.SERVER,
            {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method},
            start_time=_between_clocks() + _nano(call.started_at),
        )
        if span.is_recording():
            call.span, call.trace_id = span, f"{span.get_span_context().trace_id:032x}"

    def translated(self, call: "Call", model: "Model", requests: Sequence[Request], times: Times) -> None:
        """Send the span of a text, and one for each of its stages; never a word of it."""
        if call.span is None:
            return
        facts: dict[str, str | int] = {
            "seq2serve.request_id": call.request_id,
            "seq2serve.model": f"{model.name}/{model.version}",
            "seq2serve.source_tokens": sum(len(request.source_ids) for request in requests),
            "seq2serve.target_tokens": sum(len(request.hypotheses[0].ids) for request in requests),
            "seq2serve.finish_reason": str(requests[-1].finish_reason),
        }
        parent, arrived, clock = self._trace.set_span_in_context(call.span), call.started_at, _between_clocks()
        text = self._tracer.start_span("text", parent, attributes=facts, start_time=clock + _nano(arrived))
        within = self._trace.set_span_in_context(text)
        for stage, begin, end in intervals_of(requests, times, arrived):
            self._tracer.start_span(stage, within, start_time=clock + _nano(begin)).end(clock + _nano(end))
        text.end(clock + _nano(arrived + times.total))

    def end(self, call: "Call", code: str) -> None:
        """End the span of a call."""
        if call.span is None:
            return
        call.span.set_attribute("rpc.grpc.status_code", code)
        call.span.set_attribute("seq2serve.request_id", call.request_id)
        if call.reason:
            call.span.set_attribute("error.type", call.reason)
            call.span.set_status(self._trace.StatusCode.ERROR, call.reason)
        call.span.end()

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def open_tracing(endpoint: str, ratio: float, replica: str) -> Tracing:
    """Return what sends spans to a collector, or keeps none where there is none.

    Raises:
        StartupError: OpenTelemetry is not installed.
    """
    return Spans(endpoint, ratio, replica) if endpoint else Tracing()


def _between_clocks() -> int:
    """Return what to add to monotonic nanoseconds for Unix time; it changes whenever the clock is set."""
    return time.time_ns() - time.monotonic_ns()


def _nano(seconds: float) -> int:
    return round(seconds * NANO)
