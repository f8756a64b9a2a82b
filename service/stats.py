"""Plain numbers that the engine's thread counts and a scrape reads; nothing here knows Prometheus."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

STEP_SECONDS = (
    *(0.0002, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25),
    *(0.5, 1.0, 2.5, 5.0, 10.0),  # a cancel that waits for several slow steps must not be taken for one of them
)
BATCH_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
PHASES = "phase_seconds"


class Histogram:
    """Count observations by upper bound; one writer, any readers."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)  # the last one is for everything above
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        """Return how many values were counted."""
        return sum(self.counts)

    def __add__(self, other: "Histogram") -> "Histogram":
        """Return the observations of both."""
        added = Histogram(self.bounds)
        added.counts = [one + another for one, another in zip(self.counts, other.counts, strict=True)]
        added.sum = self.sum + other.sum
        return added


class Unmeasured(Histogram):
    """Count nothing."""

    def observe(self, value: float) -> None:
        """Do nothing."""


@dataclass
class EngineStats:
    """Hold what one shard of an engine, or all of them, have done since they started."""

    step_seconds: Histogram = field(default_factory=lambda: Histogram(STEP_SECONDS))
    encode_seconds: Histogram = field(default_factory=lambda: Histogram(STEP_SECONDS))
    decode_rows: Histogram = field(default_factory=lambda: Histogram(BATCH_ROWS))
    encode_rows: Histogram = field(default_factory=lambda: Histogram(BATCH_ROWS))
    cancel_release_seconds: Histogram = field(default_factory=lambda: Histogram(STEP_SECONDS))
    source_tokens: int = 0
    target_tokens: int = 0
    wasted_steps: int = 0  # of hypotheses whose request was cancelled, late, or had to begin again
    encode_padding_tokens: int = 0
    phase_seconds: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("admit", "run", "select", "emit", "idle"), 0.0)
    )

    def __add__(self, other: "EngineStats") -> "EngineStats":
        """Return what both have done."""
        added = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.name != PHASES}
        phases = {name: seconds + other.phase_seconds[name] for name, seconds in self.phase_seconds.items()}
        return EngineStats(**added, phase_seconds=phases)


def unmeasured() -> EngineStats:
    """Make stats whose histograms stay empty, for a server without metrics."""
    steps, rows = Unmeasured(STEP_SECONDS), Unmeasured(BATCH_ROWS)
    return EngineStats(steps, steps, rows, rows, steps)
