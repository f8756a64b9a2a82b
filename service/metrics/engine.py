"""What the engines count themselves, turned into metrics when somebody asks."""

import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from service import stats
from service.metrics.histogram import cumulative
from service.registry import Registry
from service.state import EngineState

States: TypeAlias = dict[tuple[str, str], EngineState]  # by the name and version of the model


class EngineCollector(Collector):
    """Ask the models' engines for their plain numbers."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics of all models; each engine is asked once, so that its numbers belong together."""
        states = {(model.name, str(model.version)): model.core.observe() for model in self._registry.models}
        for name, text, gauge in GAUGES:
            family = GaugeMetricFamily(f"seq2serve_{name}", text, labels=["model", "version"])
            for labels, state in states.items():
                family.add_metric(labels, gauge(state))
            yield family
        yield from _counters(states)
        yield from _histograms(states)


def _counters(states: States) -> Iterator[Metric]:
    for name, text, label, read in COUNTERS:
        counter = CounterMetricFamily(f"seq2serve_{name}", text, labels=["model", "version", *label])
        for labels, state in states.items():
            for extra, value in read(state).items():
                counter.add_metric([*labels, *([extra] if label else [])], value)
        yield counter


def _histograms(states: States) -> Iterator[Metric]:
    for name, text, label, read in HISTOGRAMS:
        family = HistogramMetricFamily(f"seq2serve_{name}", text, labels=["model", "version", *label])
        for labels, state in states.items():
            for extra, histogram in read(state.stats).items():
                family.add_metric([*labels, *([extra] if label else [])], [*cumulative(histogram)], histogram.sum)
        yield family


def _oldest_age(state: EngineState) -> float:
    return time.monotonic() - state.oldest_lined_up_at if state.oldest_lined_up_at else 0.0


GAUGES: list[tuple[str, str, Callable[[EngineState], float]]] = [
    ("queue_requests", "Requests in the waiting line.", lambda state: state.waiting),
    ("queue_source_tokens", "Source pieces waiting.", lambda state: state.waiting_source_tokens),
    ("queue_oldest_age_seconds", "How long the first in line has waited.", _oldest_age),
    ("slots_active", "Hypotheses being decoded.", lambda state: state.running),
    ("slots_limit", "Hypotheses that can be decoded at a time.", lambda state: state.slots),
    ("engine_resident_memory_bytes", "Memory in use by the engine's process.", lambda state: state.resident_bytes),
]
Read = Callable[[EngineState], dict[str, float]]
COUNTERS: list[tuple[str, str, list[str], Read]] = [
    ("source_tokens", "Source pieces encoded.", [], lambda s: {"": s.stats.source_tokens}),
    ("target_tokens", "Target pieces of finished requests.", [], lambda s: {"": s.stats.target_tokens}),
    ("wasted_steps", "Steps of hypotheses that nobody got.", [], lambda s: {"": s.stats.wasted_steps}),
    ("padding_tokens", "Padding computed for nothing.", ["stage"], lambda s: {"encode": s.stats.encode_padding_tokens}),
    ("engine_seconds", "What the engine's threads spend their time on.", ["phase"], lambda s: s.stats.phase_seconds),
    ("engine_cpu_seconds", "CPU time of the engine's process.", [], lambda s: {"": s.cpu_seconds}),
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
