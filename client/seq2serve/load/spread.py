"""Several runs of one load, as the median and the extremes of each figure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from typing import NamedTuple

from seq2serve.load.summary import Summary

FIGURES = tuple(field.name for field in fields(Summary) if field.name not in ("failures", "messages"))


class Spread(NamedTuple):
    """A figure over several runs."""

    median: float
    low: float
    high: float


def spreads(summaries: Sequence[Summary]) -> dict[str, Spread | None]:
    """Return the spread of each figure over the runs that have it; None where none has."""
    return {name: _spread([getattr(summary, name) for summary in summaries]) for name in FIGURES}


def failures(summaries: Sequence[Summary]) -> Counter[str]:
    """Return how many requests of all runs failed, by status code."""
    return sum((Counter(summary.failures) for summary in summaries), Counter())


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread(statistics.median(known), min(known), max(known)) if known else None
