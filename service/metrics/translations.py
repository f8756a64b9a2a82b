"""How long translations take and how long they are, for each model version."""

from collections.abc import Sequence
from functools import cache

from prometheus_client import CollectorRegistry, Counter

from service import stats
from service.metrics.buckets import LATENCY, TOKENS
from service.metrics.histogram import Histogram
from service.metrics.quality import LABELS, Quality, QualityMetrics
from service.model import Model
from service.request import Request
from service.search.hypothesis import FinishReason
from service.times import STAGES, Times


class Translations:
    """Observe translations that were answered, and requests that left an engine."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"seq2serve_{name}", text, [*LABELS, *labels], buckets, registry)

        self.duration = histogram("request_duration_seconds", "A translation from arrival to reply.", LATENCY)
        self.stage = histogram("request_stage_duration_seconds", "Time in each stage.", LATENCY, "stage")
        self.first = histogram("time_to_first_token_seconds", "Arrival to the first piece.", LATENCY)
        self.per_token = histogram(
            "time_per_output_token_seconds", "Decoding time per piece, averaged over a request.", stats.STEP_SECONDS
        )
        self.source = histogram("request_source_tokens", "Source pieces of a request.", TOKENS)
        self.target = histogram("request_target_tokens", "Target pieces of a request.", TOKENS)
        self.ended = Counter(
            "seq2serve_requests_finished", "Requests that left the engine.", [*LABELS, "reason"], registry=registry
        )
        self.quality = QualityMetrics(registry)
        self._of_version = cache(lambda name, version: _OfVersion(self, name, version))

    def replied(self, model: Model, requests: Sequence[Request], times: Times, trace_id: str) -> None:
        """Observe a translation that was answered, by way of these requests."""
        of_version = self._of_version(model.name, str(model.version))
        of_version.replied(requests, times, trace_id)
        of_version.quality.observe(requests, model.vocabulary.unknown_id)

    def finished(self, model: Model, reason: FinishReason) -> None:
        """Count a request that left the engine."""
        self._of_version(model.name, str(model.version)).finished[reason].inc()


class _OfVersion:
    """Hold the children of one model version: `labels` costs more than `observe`."""

    def __init__(self, metrics: Translations, *labels: str) -> None:
        self._duration, self._first = metrics.duration.labels(*labels), metrics.first.labels(*labels)
        self._per_token = metrics.per_token.labels(*labels)
        self._source, self._target = metrics.source.labels(*labels), metrics.target.labels(*labels)
        self._stages = {stage: metrics.stage.labels(*labels, stage) for stage in STAGES}
        self.finished = {reason: metrics.ended.labels(*labels, reason) for reason in FinishReason}
        self.quality = Quality(metrics.quality, *labels)

    def replied(self, requests: Sequence[Request], times: Times, trace_id: str) -> None:
        self._duration.observe(times.total, trace_id)
        self._first.observe(times.first_token, trace_id)
        for stage, seconds in times.stages.items():
            self._stages[stage].observe(seconds, trace_id)
        for request in requests:
            if not request.cached:
                self._per_token.observe((request.finished_at - request.joined_at) / request.steps)
        self._source.observe(sum(len(request.source_ids) for request in requests))
        self._target.observe(sum(len(request.hypotheses[0].ids) for request in requests))
