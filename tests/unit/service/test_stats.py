"""Plain counts become Prometheus histograms without losing a value."""

from hypothesis import given
from hypothesis import strategies as st

from service.metrics import _cumulative
from service.stats import Histogram


@given(st.lists(st.floats(0, 10), max_size=50))
def test_histogram_counts_every_value_once(values: list[float]) -> None:
    """A bucket holds the values up to and including its bound; the buckets of Prometheus accumulate."""
    histogram = Histogram((1.0, 2.0, 5.0))
    for value in values:
        histogram.observe(value)
    expected = [("1.0", 1.0), ("2.0", 2.0), ("5.0", 5.0), ("+Inf", float("inf"))]
    assert list(_cumulative(histogram)) == [(label, sum(v <= bound for v in values)) for label, bound in expected]
    assert histogram.count == len(values)
