"""How `seq2serve bench` shows what the runs of a load came to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from seq2serve.load import Loop, Summary, failures, spreads
from seq2serve.load.table import shown

HEAD = ("load", "replies/s", "tokens/s", "p50 ms", "p95 ms", "p99 ms", "goodput/s", "failed", "generator %")


def complain(loop: Loop, runs: Sequence[Summary]) -> int:
    """Print how many requests failed and what the first of each code said; return their number."""
    for code, count in failures(runs).items():
        message = next(run.messages[code] for run in runs if code in run.messages)
        print(f"seq2serve: {loop}: {count} requests failed with {code}, the first: {message}", file=sys.stderr)
    return failures(runs).total()


def fields(loop: Loop, runs: Sequence[Summary]) -> dict[str, Any]:
    """Return the fields of a JSON object."""
    figures = {name: spread and spread._asdict() for name, spread in spreads(runs).items()}
    return {"load": asdict(loop), "figures": figures, "failures": failures(runs), "runs": [asdict(run) for run in runs]}


def row(loop: Loop, runs: Sequence[Summary]) -> tuple[str, ...]:
    """Return the cells below HEAD."""
    figures = spreads(runs)
    return (
        str(loop),
        *(shown(figures[name]) for name in ("throughput", "tokens_per_second")),
        *(shown(figures[name], unit=0.001) for name in ("p50", "p95", "p99")),
        *(shown(figures[name]) for name in ("goodput", "failed")),
        shown(figures["generator_share"], unit=0.01),
    )
