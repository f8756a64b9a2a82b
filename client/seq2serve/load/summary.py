"""What a run comes to, in a few figures."""

from __future__ import annotations

import os
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from seq2serve.load.generator import Run

_OK = grpc.StatusCode.OK.value[0]
_TIMED = (_OK, grpc.StatusCode.DEADLINE_EXCEEDED.value[0])
_NAMES: dict[int, str] = {code.value[0]: code.name for code in grpc.StatusCode}


@dataclass(frozen=True)
class Summary:
    """The figures of a run; None is what it does not tell.

    Rates are per second from the beginning of the run to its last reply. Latencies are seconds from the *intended*
    start, so that a request counts the time for which a slow server or generator kept it from being sent. They are
    those of all replies, and of the requests that ran out of time, with the time that they had: without these the
    slowest would be missing, and refusals, which come at once, would pass for speed.

    Attributes:
        requests: How many were sent.
        failed: How many of them got no reply.
        failures: The same by status code.
        messages: What the first failure of each code said.
        throughput: Replies per second.
        tokens_per_second: Tokens in the replies per second, where somebody counted them.
        mean, p50, p95, p99, max: Latency.
        goodput: Replies within the SLO per second, where there is one.
        lateness: 99th percentile of how late the generator itself sent.
        cpu_seconds: CPU time of the generator.
        wall_seconds: Length of the run, failures included.
        generator_share: Share of all the machine's cores that the generator took.
    """

    requests: int
    failed: int
    failures: dict[str, int]
    messages: dict[str, str]
    throughput: float
    tokens_per_second: float | None
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None
    goodput: float | None
    lateness: float | None
    cpu_seconds: float
    wall_seconds: float
    generator_share: float


def summarize(run: Run, *, slo: float | None = None, tokens: int | None = None) -> Summary:
    """Sum up a run.

    Args:
        run: The run.
        slo: The latency, in seconds, that a reply may have to count for the goodput.
        tokens: How many tokens the replies hold in all.
    """
    samples = run.samples
    replies = [
        (end, end - intended)
        for intended, end, code in zip(samples.intended, samples.end, samples.code, strict=True)
        if code == _OK
    ]
    latencies = sorted(
        end - intended
        for intended, end, code in zip(samples.intended, samples.end, samples.code, strict=True)
        if code in _TIMED
    )
    late = sorted(start - intended for intended, start in zip(samples.intended, samples.start, strict=True))
    failures = Counter(_NAMES[code] for code in samples.code if code != _OK)
    span = max((end for end, _ in replies), default=float("inf"))
    return Summary(
        requests=len(samples),
        failed=failures.total(),
        failures=dict(failures),
        messages={_NAMES[code]: message for code, message in samples.messages.items()},
        throughput=len(replies) / span,
        tokens_per_second=None if tokens is None else tokens / span,
        mean=statistics.fmean(latencies) if latencies else None,
        p50=percentile(latencies, 50),
        p95=percentile(latencies, 95),
        p99=percentile(latencies, 99),
        max=percentile(latencies, 100),
        goodput=None if slo is None else sum(latency <= slo for _, latency in replies) / span,
        lateness=percentile(late, 99),
        cpu_seconds=run.cpu_seconds,
        wall_seconds=run.wall_seconds,
        generator_share=run.cpu_seconds / ((os.cpu_count() or 1) * run.wall_seconds),
    )


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """Return the percentile by nearest rank: the least value that at least `percent` of 100 values do not exceed.

    That is number ceil(percent · n / 100) of the n values, counted from 1: one that did occur. None where n is 0.

    Args:
        ordered: The values, ascending.
        percent: From 1 to 100.
    """
    return ordered[-(-percent * len(ordered) // 100) - 1] if ordered else None
