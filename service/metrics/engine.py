"""What the engines count themselves, turned into metrics when somebody asks."""

import time
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from service import stats
from service.metrics.histogram import cumulative
from service.model import Model
from service.registry import Registry


class EngineCollector(Collector):
    """Read the plain numbers of the models' engines."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics of all models; one pass, so that they belong together."""
        for name, text, read in GAUGES:
            gauge = GaugeMetricFamily(f"seq2serve_{name}", text, labels=["model", "version"])
            for model in self._registry.models:
                gauge.add_metric([model.name, str(model.version)], read(model))
            yield gauge
        yield from self._counters()
        yield from self._histograms()

    def _counters(self) -> Iterator[Metric]:
        for name, text, label, read in COUNTERS:
            counter = CounterMetricFamily(f"seq2serve_{name}", text, labels=["model", "version", *label])
            for model in self._registry.models:
                for extra, value in read(model.engine.stats).items():
                    counter.add_metric([model.name, str(model.version), *([extra] if label else [])], value)
            yield counter

    def _histograms(self) -> Iterator[Metric]:
        for name, text, label, read in HISTOGRAMS:
            family = HistogramMetricFamily(f"seq2serve_{name}", text, labels=["model", "version", *label])
            for model in self._registry.models:
                for extra, histogram in read(model.engine.stats).items():
                    labels = [model.name, str(model.version), *([extra] if label else [])]
                    family.add_metric(labels, [*cumulative(histogram)], histogram.sum)
            yield family


def _oldest_age(model: Model) -> float:
    oldest = model.engine.scheduler.oldest
    return time.monotonic() - oldest.submitted_at if oldest else 0.0


GAUGES: list[tuple[str, str, Callable[[Model], float]]] = [
    ("queue_requests", "Requests in the waiting line.", lambda m: m.engine.scheduler.waiting),
    ("queue_source_tokens", "Source pieces waiting.", lambda m: m.engine.scheduler.waiting_source_tokens),
    ("queue_oldest_age_seconds", "How long the first in line has waited.", _oldest_age),
    ("slots_active", "Hypotheses being decoded.", lambda m: m.engine.scheduler.running),
    ("slots_limit", "Hypotheses that can be decoded at a time.", lambda m: m.engine.scheduler.slots),
]
Read = Callable[[stats.EngineStats], dict[str, float]]
COUNTERS: list[tuple[str, str, list[str], Read]] = [
    ("source_tokens", "Source pieces encoded.", [], lambda s: {"": s.source_tokens}),
    ("target_tokens", "Target pieces of finished requests.", [], lambda s: {"": s.target_tokens}),
    ("wasted_steps", "Steps of hypotheses that nobody got.", [], lambda s: {"": s.wasted_steps}),
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
