"""Plain counts become Prometheus histograms without losing a value."""

import math

from hypothesis import given
from hypothesis import strategies as st

from service.metrics.histogram import cumulative
from service.stats import EngineStats, Histogram


@given(st.lists(st.floats(0, 10), max_size=50))
def test_histogram_counts_every_value_once(values: list[float]) -> None:
    """A bucket holds the values up to and including its bound; the buckets of Prometheus accumulate."""
    histogram = Histogram((1.0, 2.0, 5.0))
    for value in values:
        histogram.observe(value)
    expected = [("1.0", 1.0), ("2.0", 2.0), ("5.0", 5.0), ("+Inf", float("inf"))]
    assert list(cumulative(histogram)) == [(label, sum(v <= bound for v in values)) for label, bound in expected]
    assert histogram.count == len(values)


def test_slow_steps_and_what_is_late_beside_them_are_told_apart() -> None:
    """CancelsHoldSlots holds three steps and encoder batches, of 0.4 s each, against a cancel that takes 4 s."""
    stats = EngineStats()
    for histogram, seconds in ((stats.step_seconds, 0.4), (stats.encode_seconds, 0.4)):
        histogram.observe(seconds)
    stats.cancel_release_seconds.observe(4.0)

    def bound(histogram: Histogram) -> float:
        return (*histogram.bounds, math.nan)[histogram.counts.index(1)]  # no quantile is above the last

    assert bound(stats.cancel_release_seconds) > 3 * (bound(stats.step_seconds) + bound(stats.encode_seconds))


def test_what_shards_did_adds_up() -> None:
    """The sum has the counts, histograms and seconds of both, and changes neither."""
    one, other = EngineStats(source_tokens=3), EngineStats(source_tokens=4)
    one.step_seconds.observe(0.001)
    other.step_seconds.observe(11.0)
    one.phase_seconds["run"], other.phase_seconds["run"] = 1.5, 2.0
    both = one + other
    assert both.source_tokens == 7
    assert (both.step_seconds.count, both.step_seconds.counts[-1]) == (2, 1)
    assert both.step_seconds.sum == 11.001
    assert both.phase_seconds == {"admit": 0.0, "run": 3.5, "select": 0.0, "emit": 0.0, "idle": 0.0}
    assert (one.step_seconds.count, one.phase_seconds["run"]) == (1, 1.5)
