"""Which cell learns to remember over which delay."""

from pathlib import Path
from statistics import fmean

from matplotlib.axes import Axes

from models.cells import CELLS
from models.figures.canvas import COLOURS, write
from models.figures.recall import SYMBOLS, accuracy, learn


def draw(path: Path, delays: list[int], updates: int, seeds: int) -> None:
    """Train every cell on every delay, from fresh weights of so many seeds; write the picture and print accuracies."""
    found: dict[str, list[list[float]]] = {}
    for kind in CELLS:
        found[kind] = []
        for delay in delays:
            shares = [accuracy(learn(kind, delay, updates, seed), delay) for seed in range(1, seeds + 1)]
            found[kind].append(shares)
            each = " ".join(f"{share:.2f}" for share in shares)
            print(f"{kind:5} delay {delay:3}  mean {fmean(shares):.2f}  ({each})", flush=True)

    def fill(axes: list[Axes]) -> None:
        for kind, of_delays in found.items():
            means = [fmean(shares) for shares in of_delays]
            below = [mean - min(shares) for mean, shares in zip(means, of_delays, strict=True)]
            above = [max(shares) - mean for mean, shares in zip(means, of_delays, strict=True)]
            axes[0].errorbar(delays, means, [below, above], marker="o", capsize=3, label=kind, color=COLOURS[kind])
        axes[0].axhline(1 / SYMBOLS, color="black", linestyle=":", label="guessing")
        axes[0].set(xlabel=f"delay, {updates} updates each", ylabel="symbols said right", ylim=(0, 1.05))
        axes[0].legend()

    write(path, 1, fill)
