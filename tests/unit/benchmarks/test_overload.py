"""What an overloaded server still does is set against what it does at its best, each by its own time."""

import pytest

from benchmarks.overload import OK, REFUSED, describe, steady_rate
from seq2serve.load import Run, Samples


def run(*calls: tuple[float, float, int]) -> Run:
    """Make a run of calls: when each was to start, when it ended, and how; the generator takes no time."""
    samples = Samples()
    for intended, end, code in sorted(calls, key=lambda call: call[1]):
        samples.add(0, intended, intended, end, code, 0)
    return Run(samples, cpu_seconds=0.0, wall_seconds=max(end for _, end, _ in calls))


def test_capacity_is_that_of_the_steady_state() -> None:
    """Neither the first replies, which all began at once, nor those after the last start change it."""
    steady = [(at - 2.0, float(at), OK) for at in range(5, 21)]
    edges = [(0.0, 2.0, OK)] * 40 + [(19.0, 26.0, OK)]

    assert steady_rate(run(*steady, *edges), 5.0, 20.0) == 1.0
    assert steady_rate(run(*steady, *edges, (9.0, 10.0, REFUSED)), 5.0, 20.0) == 1.0


def test_goodput_is_per_second_until_the_last_reply() -> None:
    """Replies come after the last arrival too: a server at its capacity all the time has a share of one, not more."""
    calls = [(number / 12, float(number), OK) for number in range(1, 25)]  # arrive within 2 s, one reply a second

    share, line = describe(run(*calls, (1.0, 1.1, REFUSED)), capacity=1.0, slo=100.0)

    assert share == pytest.approx(1.0)
    assert line.startswith("goodput 1.0/s")


def test_late_replies_are_no_goodput() -> None:
    """The time that they took is counted all the same; without any reply the share is none."""
    share, _ = describe(run((0.0, 1.0, OK), (0.0, 4.0, OK)), capacity=1.0, slo=2.0)
    none, _ = describe(run((0.0, 1.0, REFUSED)), capacity=1.0, slo=2.0)

    assert (share, none) == (0.25, 0.0)
