"""Histograms that cost the event loop little: plain numbers, which become metrics at a scrape.

The client library's take a lock and go through all bounds at each observation, and there
are a dozen for each text. One thread observes, the event loop's; any may read.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.core import Exemplar, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from service import stats

Bucket: TypeAlias = tuple[str, float] | tuple[str, float, Exemplar]


class Observed(stats.Histogram):
    """Count observations, and keep the last trace that fell into each bucket."""

    def __init__(self, bounds: Sequence[float]) -> None:
        super().__init__(bounds)
        self.exemplars: dict[int, Exemplar] = {}  # by bucket

    def observe(self, value: float, trace_id: str = "") -> None:
        """Count one value, which a trace may tell more of."""
        bucket = bisect_left(self.bounds, value)
        self.counts[bucket] += 1
        self.sum += value
        if trace_id:
            self.exemplars[bucket] = Exemplar({"trace_id": trace_id}, value, time.time())


class Histogram(Collector):
    """Hold the histograms of one name, by the values of its labels."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name, self._text, self._labels, self._bounds = name, text, labels, bounds
        self._of: dict[tuple[str, ...], Observed] = {}
        if not labels:
            self.labels()  # so that it is there before the first value
        registry.register(self)

    def labels(self, *values: str) -> Observed:
        """Return the histogram of some values of the labels; keep it, a look-up costs more than an observation."""
        return self._of.setdefault(values, Observed(self._bounds))

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for values, histogram in [*self._of.items()]:
            family.add_metric(values, [*cumulative(histogram)], histogram.sum)
        yield family


def cumulative(histogram: stats.Histogram) -> Iterator[Bucket]:
    """Yield buckets as Prometheus has them: bound, how many are not above it, and an exemplar where there is one."""
    exemplars = histogram.exemplars if isinstance(histogram, Observed) else {}
    total = 0
    for bucket, (bound, count) in enumerate(zip((*histogram.bounds, float("inf")), [*histogram.counts], strict=True)):
        total += count
        name = "+Inf" if bound == float("inf") else repr(float(bound))
        exemplar = exemplars.get(bucket)
        yield (name, total, exemplar) if exemplar else (name, total)
