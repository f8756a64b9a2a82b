"""The figures of a load, checked against numbers worked out by hand."""

import os

import grpc
import pytest

from seq2serve.load import Run, Samples, Spread, Summary, failures, percentile, spreads, summarize
from seq2serve.load.table import markdown, number, shown

OK = grpc.StatusCode.OK
TIMEOUT = grpc.StatusCode.DEADLINE_EXCEEDED
FULL = grpc.StatusCode.RESOURCE_EXHAUSTED


def run_of(*records: tuple[float, float, float, grpc.StatusCode], cpu: float = 1.0, wall: float = 10.0) -> Run:
    samples = Samples()
    for intended, start, end, code in records:
        samples.add(0, intended, start, end, code.value[0], 0)
    return Run(samples, cpu_seconds=cpu, wall_seconds=wall)


@pytest.mark.parametrize(
    ("count", "percent", "rank"),
    [
        (1, 50, 1),
        (2, 50, 1),
        (3, 50, 2),
        (4, 50, 2),
        (5, 95, 5),
        (20, 95, 19),
        (100, 99, 99),
        (101, 99, 100),
        (7, 100, 7),
    ],
)
def test_percentile_is_the_nearest_rank(count: int, percent: int, rank: int) -> None:
    """The percentile of the values 1 to n is ceil(percent · n / 100)."""
    assert percentile(range(1, count + 1), percent) == rank


def test_percentile_of_nothing() -> None:
    """Where nothing was measured there is no percentile, and no made-up zero."""
    assert percentile([], 50) is None


def test_a_summary_by_hand(monkeypatch) -> None:
    """Every figure of four replies, the last of which came after four seconds, on a machine of two cores."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    records = [(0, 0, 1, OK), (0, 0.5, 2, OK), (1, 1, 4, OK), (2, 2, 2.5, OK)]

    summary = summarize(run_of(*records, cpu=2.0, wall=5.0), slo=1.0, tokens=20)

    assert summary == Summary(
        requests=4,
        failed=0,
        failures={},
        messages={},
        throughput=1.0,
        tokens_per_second=5.0,
        mean=(1 + 2 + 3 + 0.5) / 4,
        p50=1.0,
        p95=3.0,
        p99=3.0,
        max=3.0,
        goodput=0.5,
        lateness=0.5,
        cpu_seconds=2.0,
        wall_seconds=5.0,
        generator_share=0.2,
    )


def test_timeouts_count_as_slow_and_refusals_not_as_fast() -> None:
    """Latencies hold requests that ran out of time, but none that was refused; rates hold neither."""
    summary = summarize(run_of((0, 0, 2, OK), (0, 0, 30, TIMEOUT), (0, 0, 0.001, FULL)), slo=60)

    assert (summary.mean, summary.p50, summary.max) == (16, 2, 30)
    assert (summary.throughput, summary.goodput) == (0.5, 0.5)
    assert summary.failures == {"DEADLINE_EXCEEDED": 1, "RESOURCE_EXHAUSTED": 1}


def test_a_run_without_a_reply() -> None:
    """Nothing came back: the rates are zero and there are no latencies."""
    summary = summarize(run_of((0, 0, 0.1, FULL)), slo=1, tokens=0)

    assert (summary.throughput, summary.tokens_per_second, summary.goodput, summary.failed) == (0, 0, 0, 1)
    assert (summary.mean, summary.p50, summary.max) == (None, None, None)


def test_what_was_not_asked_for_is_not_told() -> None:
    """Without an SLO there is no goodput, without a count of tokens no rate of them."""
    summary = summarize(run_of((0, 0, 1, OK)))

    assert (summary.goodput, summary.tokens_per_second) == (None, None)


def test_runs_have_a_median_and_extremes() -> None:
    """Each figure of several runs is its median, lowest and highest; failures add up by code."""
    runs = [
        summarize(run_of((0, 0, 2, OK), (0, 0, 1, FULL))),
        summarize(run_of((0, 0, 1, OK))),
        summarize(run_of((0, 0, 4, OK), (0, 0, 1, FULL), (0, 0, 9, TIMEOUT))),
    ]

    figures = spreads(runs)

    assert figures["throughput"] == Spread(0.5, 0.25, 1.0)
    assert figures["max"] == Spread(2, 1, 9)
    assert figures["failed"] == Spread(1, 0, 2)
    assert figures["goodput"] is None
    assert failures(runs) == {"RESOURCE_EXHAUSTED": 2, "DEADLINE_EXCEEDED": 1}


def test_a_table_is_aligned_markdown() -> None:
    """Columns are as wide as their widest cell, and all lines of one length."""
    assert markdown(["load", "p50"], [["1 in flight", "2"], ["8", "1234"]]).splitlines() == [
        "|        load |  p50 |",
        "|------------:|-----:|",
        "| 1 in flight |    2 |",
        "|           8 | 1234 |",
    ]


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (0.01234, "0.0123"), (12.345, "12.3"), (1234.5, "1234")])
def test_numbers_have_three_digits(value: float, text: str) -> None:
    """Three digits, and none before the point is lost."""
    assert number(value) == text


def test_a_figure_shows_its_spread_where_there_is_one() -> None:
    """A figure is its median, with the extremes in brackets unless all are the same."""
    assert shown(Spread(0.012, 0.0111, 0.013), unit=0.001) == "12 (11.1..13)"
    assert shown(Spread(2, 2, 2)) == "2"
    assert shown(None) == "-"
