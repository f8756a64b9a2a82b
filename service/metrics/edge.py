"""What the edge tells the metrics."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter

from service.metrics.buckets import LATENCY
from service.metrics.calls import Calls
from service.metrics.histogram import Histogram
from service.metrics.translations import Translations
from service.model import Model
from service.request import Request
from service.search.hypothesis import FinishReason
from service.times import Times


class Metrics:
    """Hear of what happens at the edge, and count nothing; injected, never global."""

    def call_started(self, method: str, kind: str) -> None:
        """Count an RPC that begins; `method` is /package.Service/Method."""

    def call_handled(self, method: str, kind: str, code: str, reason: str, seconds: float, trace_id: str) -> None:
        """Count an RPC that ended with a status code and, if it failed, a reason."""

    def item_rejected(self, reason: str) -> None:
        """Count an item of a call that was refused or failed alone."""

    def cache_asked(self, outcome: str) -> None:
        """Count a request to the cache: hit, shared or miss."""

    def shadow_compared(self, model: str, candidate: int, outcome: str) -> None:
        """Count a mirrored request: same, different, failed or skipped."""

    def request_finished(self, model: Model, reason: FinishReason) -> None:
        """Count a request that left the engine."""

    def translation_replied(self, model: Model, requests: Sequence[Request], times: Times, trace_id: str) -> None:
        """Observe a translation that was answered, by way of these requests."""

    def loop_woke(self, late: float) -> None:
        """Observe by how many seconds the event loop woke too late."""


class Measured(Metrics):
    """Count in Prometheus metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Calls(registry)
        self._translations = Translations(registry)
        self._cache = Counter(
            "seq2serve_cache_requests", "Requests to the cache, by what became of them.", ["outcome"], registry=registry
        )
        self._shadow = Counter(
            "seq2serve_shadow_requests",
            "Requests mirrored to a candidate, by what became of them.",
            ["model", "candidate", "outcome"],
            registry=registry,
        )
        lag = Histogram("seq2serve_event_loop_lag_seconds", "How late the event loop wakes up.", [], LATENCY, registry)
        self._lag = lag.labels()

    def call_started(self, method: str, kind: str) -> None:
        """Count an RPC that begins; `method` is /package.Service/Method."""
        self._calls.started(method, kind)

    def call_handled(self, method: str, kind: str, code: str, reason: str, seconds: float, trace_id: str) -> None:
        """Count an RPC that ended with a status code and, if it failed, a reason."""
        self._calls.handled(method, kind, code, reason, seconds, trace_id)

    def item_rejected(self, reason: str) -> None:
        """Count an item of a call that was refused or failed alone."""
        self._calls.rejected(reason)

    def request_finished(self, model: Model, reason: FinishReason) -> None:
        """Count a request that left the engine."""
        self._translations.finished(model, reason)

    def translation_replied(self, model: Model, requests: Sequence[Request], times: Times, trace_id: str) -> None:
        """Observe a translation that was answered, by way of these requests."""
        self._translations.replied(model, requests, times, trace_id)

    def cache_asked(self, outcome: str) -> None:
        """Count a request to the cache: hit, shared or miss."""
        self._cache.labels(outcome).inc()

    def shadow_compared(self, model: str, candidate: int, outcome: str) -> None:
        """Count a mirrored request: same, different, failed or skipped."""
        self._shadow.labels(model, str(candidate), outcome).inc()

    def loop_woke(self, late: float) -> None:
        """Observe by how many seconds the event loop woke too late."""
        self._lag.observe(late)
