"""One line of a comparison: what a system did in one run, and several runs as medians."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from benchmarks.generator import Generated, generate
from benchmarks.peers.peer import Endpoint, Peer, usage
from seq2serve.load import Extent, Loop, summarize


@dataclass(frozen=True)
class Row:
    """Hold the figures of one system and run; None is what it does not have."""

    sentences_per_second: float
    generator_share: float | None  # of all cores, that the load generator took
    tokens_per_second: float
    p50: float | None  # seconds, as the next two
    p95: float | None
    p99: float | None
    goodput: float | None  # sentences per second within the objective
    cpu_per_thousand: float  # CPU seconds of the system itself per 1,000 sentences
    peak_megabytes: float | None
    failed: int

    @property
    def corrected(self) -> float | None:
        """Return the sentences a second, divided by the share of the cores that the generator left."""
        return None if self.generator_share is None else self.sentences_per_second / (1 - self.generator_share)

    @property
    def busy(self) -> float:
        """Return the share of all cores that the system and the generator took."""
        own = self.cpu_per_thousand / 1000 * self.sentences_per_second
        return own / (os.cpu_count() or 1) + (self.generator_share or 0.0)


def measure(
    peer: Peer, texts: Sequence[str], loop: Loop, extent: Extent, warm_up: int, seed: int, slo: float | None = None
) -> tuple[Row, list[int]]:
    """Start a server, load it and stop it; returns what `load` does.

    Raises:
        RuntimeError: the server did not start, or the generator failed.
    """
    with peer.serve() as endpoint:
        return load(peer, endpoint, texts, loop, extent, warm_up, seed, slo)


def load(
    peer: Peer,
    endpoint: Endpoint,
    texts: Sequence[str],
    loop: Loop,
    extent: Extent,
    warm_up: int,
    seed: int,
    slo: float | None = None,
) -> tuple[Row, list[int]]:
    """Load a running server; also returns the target tokens of each text, 0 where it was not sent.

    Raises:
        RuntimeError: the generator failed.
    """
    payloads = [peer.payload(text) for text in texts]
    before = usage(endpoint.pid)
    found = generate(
        endpoint.address, payloads, loop, extent, method=endpoint.method, warm_up=warm_up, seed=seed, timeout=300
    )
    after = usage(endpoint.pid)
    tokens = [peer.target_tokens(reply) if reply else 0 for reply in found.replies]
    summary = summarize(found.run, slo=slo, tokens=_said(found, tokens))
    assert summary.tokens_per_second is not None
    row = Row(
        sentences_per_second=summary.throughput,
        generator_share=summary.generator_share,
        tokens_per_second=summary.tokens_per_second,
        p50=summary.p50,
        p95=summary.p95,
        p99=summary.p99,
        goodput=summary.goodput,
        cpu_per_thousand=1000 * (after.cpu_seconds - before.cpu_seconds) / (summary.requests + warm_up),
        peak_megabytes=after.peak_bytes / 1e6,
        failed=summary.failed,
    )
    return row, tokens


def _said(found: Generated, tokens: Sequence[int]) -> int:
    """Count the tokens of all replies: a text has the same translation every time."""
    samples = found.run.samples
    return sum(tokens[payload] for payload, code in zip(samples.payload, samples.code, strict=True) if code == 0)


def median(rows: Sequence[Row]) -> Row:
    """Return the median of each figure."""
    values: dict[str, Any] = {}
    for field in fields(Row):
        known = [getattr(row, field.name) for row in rows if getattr(row, field.name) is not None]
        values[field.name] = statistics.median(known) if known else None
    return Row(**values)
