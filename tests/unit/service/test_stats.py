"""Plain counts become Prometheus histograms without losing a value."""

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


def test_what_shards_did_adds_up() -> None:
    """The sum has the counts, histograms and seconds of both, and changes neither."""
    one, other = EngineStats(source_tokens=3), EngineStats(source_tokens=4)
    one.step_seconds.observe(0.001)
    other.step_seconds.observe(9.0)
    one.phase_seconds["run"], other.phase_seconds["run"] = 1.5, 2.0
    both = one + other
    assert both.source_tokens == 7
    assert (both.step_seconds.count, both.step_seconds.counts[-1]) == (2, 1)
    assert both.step_seconds.sum == 9.001
    assert both.phase_seconds == {"admit": 0.0, "run": 3.5, "select": 0.0, "emit": 0.0, "idle": 0.0}
    assert (one.step_seconds.count, one.phase_seconds["run"]) == (1, 1.5)
