"""Signs of quality that need no reference: they do not say how good translations are, but that something changed."""

import math
from collections.abc import Sequence

import numpy
from prometheus_client import CollectorRegistry, Counter

from service.metrics.buckets import LENGTH_RATIO, SHARE
from service.metrics.histogram import Histogram
from service.request import Request
from service.search.hypothesis import Hypothesis

LABELS = ("model", "version")


class Quality:
    """Observe the best hypotheses of one model version."""

    def __init__(self, metrics: "QualityMetrics", *labels: str) -> None:
        self._ratio = metrics.ratio.labels(*labels)
        self._uncovered = metrics.uncovered.labels(*labels)
        self._confidence = metrics.confidence.labels(*labels)
        self._unknown_source = metrics.unknown.labels(*labels, "source")
        self._unknown_target = metrics.unknown.labels(*labels, "target")

    def observe(self, requests: Sequence[Request], unknown_id: int) -> None:
        """Observe the requests of a translation that was answered."""
        for request in requests:
            best = request.hypotheses[0]
            self._ratio.observe(len(best.ids) / len(request.source_ids))
            if unknown := request.source_ids.tolist().count(unknown_id):
                self._unknown_source.inc(unknown)
            if unknown := best.ids.count(unknown_id):
                self._unknown_target.inc(unknown)
            if request.options.scored and not math.isnan(best.log_probability):
                self._confidence.observe(math.exp(best.log_probability / best.steps))
            if best.alignment is not None and len(best.ids):
                self._uncovered.observe(uncovered(best))


class QualityMetrics:
    """Hold the metrics of all model versions."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"seq2serve_{name}", text, LABELS, buckets, registry)

        self.ratio = histogram("output_length_ratio", "Target pieces for each source piece.", LENGTH_RATIO)
        self.uncovered = histogram(
            "attention_uncovered_ratio", "Share of the source that no attention was given to.", SHARE
        )
        self.confidence = histogram(
            "output_confidence_ratio", "Geometric mean of the probabilities of a target's pieces.", SHARE
        )
        self.unknown = Counter(
            "seq2serve_unknown_tokens", "Unknown pieces read and written.", [*LABELS, "side"], registry=registry
        )


def uncovered(hypothesis: Hypothesis) -> float:
    """Return the share of the source without attention: the mean over its S pieces of 1 - min(sum over steps, 1).

    That is what the coverage penalty of Wu et al. 2016, equation 14, is about, without its logarithm.
    """
    assert hypothesis.alignment is not None
    missing = 1 - numpy.minimum(hypothesis.alignment.sum(axis=0), 1)
    return float(missing.mean())
