"""Prometheus metrics: what the edge observes, and a collector that reads the engines' own counts at a scrape."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from service import stats
from service.model import Model
from service.request import Request
from service.search.hypothesis import FinishReason

# Powers of about two from 1 ms to 30 s, with the usual objectives (50, 100, 200, 300, 500 ms, 1 s) on an edge.
LATENCY = (
    *(0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75),
    *(1, 1.5, 2.5, 5, 10, 30),
)
TOKENS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # a word to a long paragraph


class Metrics:
    """Hold the metrics of one server; injected, never global."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        rpc = ["grpc_type", "grpc_service", "grpc_method"]
        model = ["model", "version"]
        self._started = Counter("grpc_server_started", "RPCs started.", rpc, registry=registry)
        self._handled = Counter("grpc_server_handled", "RPCs ended.", [*rpc, "grpc_code"], registry=registry)
        self._sent = Counter("grpc_server_msg_sent", "Unary replies sent.", rpc, registry=registry)
        self._handling = Histogram(
            "grpc_server_handling_seconds", "Time to the end of an RPC.", rpc, buckets=LATENCY, registry=registry
        )
        self._in_flight = Gauge("grpc_server_in_flight", "RPCs being handled.", ["grpc_method"], registry=registry)
        self._rejected = Counter(
            "seq2serve_requests_rejected",
            "Calls and items refused or failed, by reason.",
            ["reason"],
            registry=registry,
        )
        self._cache = Counter(
            "seq2serve_cache_requests", "Requests to the cache, by what became of them.", ["outcome"], registry=registry
        )
        self._shadow = Counter(
            "seq2serve_shadow_requests",
            "Requests mirrored to a candidate, by what became of them.",
            ["model", "candidate", "outcome"],
            registry=registry,
        )
        self._finished = Counter(
            "seq2serve_requests_finished", "Requests that left the engine.", [*model, "reason"], registry=registry
        )

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"seq2serve_{name}", text, [*model, *labels], buckets=buckets, registry=registry)

        self._duration = histogram("request_duration_seconds", "A translation from arrival to reply.", LATENCY)
        self._stage = histogram("request_stage_duration_seconds", "Time in each stage.", LATENCY, "stage")
        self._first = histogram("time_to_first_token_seconds", "Arrival to the first piece.", LATENCY)
        self._per_token = histogram(
            "time_per_output_token_seconds", "Decoding time per piece, averaged over a request.", stats.STEP_SECONDS
        )
        self._source_tokens = histogram("request_source_tokens", "Source pieces of a request.", TOKENS)
        self._target_tokens = histogram("request_target_tokens", "Target pieces of a request.", TOKENS)
        self.event_loop_lag = Histogram(
            "seq2serve_event_loop_lag_seconds", "How late the event loop wakes up.", buckets=LATENCY, registry=registry
        )
        self._of_model = cache(self._model_children)
        self._of_method = cache(self._method_children)

    def _model_children(self, name: str, version: str, stage: str = "") -> dict[str, Histogram]:
        """Look the children up once: `labels` costs more than `observe`."""
        if stage:
            return {"stage": self._stage.labels(name, version, stage)}
        parents = {
            "duration": self._duration,
            "first": self._first,
            "per_token": self._per_token,
            "source": self._source_tokens,
            "target": self._target_tokens,
        }
        return {key: parent.labels(name, version) for key, parent in parents.items()}

    def _method_children(self, method: str, kind: str) -> tuple[Counter, Gauge, Histogram, Counter]:
        _, service, name = method.split("/", 2)
        labels = (kind, service, name)
        return (
            self._started.labels(*labels),
            self._in_flight.labels(name),
            self._handling.labels(*labels),
            self._sent.labels(*labels),
        )

    def call_started(self, method: str, kind: str) -> None:
        """Count an RPC that begins; `method` is /package.Service/Method."""
        started, in_flight, _, _ = self._of_method(method, kind)
        started.inc()
        in_flight.inc()

    def call_handled(self, method: str, kind: str, code: str, reason: str, seconds: float) -> None:
        """Count an RPC that ended with a status code and, if it failed, a reason."""
        _, in_flight, handling, sent = self._of_method(method, kind)
        in_flight.dec()
        handling.observe(seconds)
        _, service, name = method.split("/", 2)
        self._handled.labels(kind, service, name, code).inc()
        if reason:
            self._rejected.labels(reason).inc()
        elif kind == "unary" and code == "OK":
            sent.inc()

    def request_finished(self, model: Model, reason: FinishReason) -> None:
        """Count a request that left the engine."""
        self._finished.labels(model.name, str(model.version), reason).inc()

    def cache_asked(self, outcome: str) -> None:
        """Count a request to the cache: hit, shared or miss."""
        self._cache.labels(outcome).inc()

    def shadow_compared(self, model: str, candidate: int, outcome: str) -> None:
        """Count a mirrored request: same, different, failed or skipped."""
        self._shadow.labels(model, str(candidate), outcome).inc()

    def item_rejected(self, reason: str) -> None:
        """Count an item of a call that was refused or failed alone."""
        self._rejected.labels(reason).inc()

    def translation_replied(
        self, model: Model, requests: Sequence[Request], stages: dict[str, float], arrived_at: float, seconds: float
    ) -> None:
        """Observe a translation that was answered, by way of these requests; `stages` are its parts in seconds."""
        version = str(model.version)
        children = self._of_model(model.name, version)
        children["duration"].observe(seconds)
        children["first"].observe(requests[0].first_token_at - arrived_at)
        for request in requests:
            children["per_token"].observe((request.finished_at - request.joined_at) / request.steps)
        children["source"].observe(sum(len(request.source_ids) for request in requests))
        children["target"].observe(sum(len(request.hypotheses[0].ids) for request in requests))
        for stage, value in stages.items():
            self._of_model(model.name, version, stage)["stage"].observe(value)


class EngineCollector(Collector):
    """Turn the plain numbers of the models' engines into metrics, when somebody asks."""

    def __init__(self, models: Callable[[], Iterable[Model]]) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics of all models; one pass, so that they belong together."""
        for name, text, read in GAUGES:
            gauge = GaugeMetricFamily(f"seq2serve_{name}", text, labels=["model", "version"])
            for model in self._models():
                gauge.add_metric([model.name, str(model.version)], read(model))
            yield gauge
        yield from self._counters()
        yield from self._histograms()
        info = GaugeMetricFamily(
            "seq2serve_model_info",
            "What is loaded, and the provider in use.",
            labels=["model", "version", "provider", "precision", "architecture", "bundle_digest"],
        )
        for model in self._models():
            architecture = f"{model.manifest.architecture.cell}-{model.manifest.architecture.attention}"
            labels = [model.name, str(model.version), model.provider, model.precision, architecture]
            info.add_metric([*labels, model.digest], 1)
        yield info

    def _counters(self) -> Iterator[Metric]:
        for name, text, label, read in COUNTERS:
            counter = CounterMetricFamily(f"seq2serve_{name}", text, labels=["model", "version", *label])
            for model in self._models():
                for extra, value in read(model.engine.stats).items():
                    counter.add_metric([model.name, str(model.version), *([extra] if label else [])], value)
            yield counter

    def _histograms(self) -> Iterator[Metric]:
        for name, text, label, read in HISTOGRAMS:
            family = HistogramMetricFamily(f"seq2serve_{name}", text, labels=["model", "version", *label])
            for model in self._models():
                for extra, histogram in read(model.engine.stats).items():
                    labels = [model.name, str(model.version), *([extra] if label else [])]
                    family.add_metric(labels, list(_cumulative(histogram)), histogram.sum)
            yield family


def _cumulative(histogram: stats.Histogram) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip((*histogram.bounds, float("inf")), list(histogram.counts), strict=True):
        total += count
        yield ("+Inf" if bound == float("inf") else repr(float(bound)), total)


def _oldest_age(model: Model) -> float:
    oldest = model.engine.scheduler.oldest
    return time.monotonic() - oldest.submitted_at if oldest else 0.0


GAUGES: list[tuple[str, str, Callable[[Model], float]]] = [
    ("queue_requests", "Requests in the waiting line.", lambda m: m.engine.scheduler.waiting),
    ("queue_source_tokens", "Source pieces waiting.", lambda m: m.engine.scheduler.waiting_source_tokens),
    ("queue_oldest_age_seconds", "How long the first in line has waited.", _oldest_age),
    ("slots_active", "Hypotheses being decoded.", lambda m: m.engine.scheduler.running),
    ("slots_limit", "Hypotheses that can be decoded at a time.", lambda m: m.engine.scheduler.slots),
    ("model_load_duration_seconds", "Time to load, warm up and verify.", lambda m: m.load_seconds),
    ("model_loaded_timestamp_seconds", "When the model was loaded (Unix time).", lambda m: m.loaded_at),
    ("model_parity_ok", "1: the golden translations came out as exported.", lambda m: 1.0),
]
Read = Callable[[stats.EngineStats], dict[str, float]]
COUNTERS: list[tuple[str, str, list[str], Read]] = [
    ("source_tokens", "Source pieces encoded.", [], lambda s: {"": s.source_tokens}),
    ("target_tokens", "Target pieces of finished requests.", [], lambda s: {"": s.target_tokens}),
    ("padding_tokens", "Padding computed for nothing.", ["stage"], lambda s: {"encode": s.encode_padding_tokens}),
    ("engine_seconds", "What the engine's thread spends its time on.", ["phase"], lambda s: dict(s.phase_seconds)),
]
ReadHistogram = Callable[[stats.EngineStats], dict[str, stats.Histogram]]
HISTOGRAMS: list[tuple[str, str, list[str], ReadHistogram]] = [
    ("decode_step_duration_seconds", "One step of one lane.", [], lambda s: {"": s.step_seconds}),
    ("encode_batch_duration_seconds", "One encoder batch.", [], lambda s: {"": s.encode_seconds}),
    ("cancel_release_seconds", "Cancel to the slot being free.", [], lambda s: {"": s.cancel_release_seconds}),
    (
        "batch_size",
        "Rows of a batch, without padding.",
        ["stage"],
        lambda s: {"encode": s.encode_rows, "decode": s.decode_rows},
    ),
]
