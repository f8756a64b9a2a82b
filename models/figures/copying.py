"""Which cell learns to remember over which delay."""

from pathlib import Path

from matplotlib.axes import Axes

from models.cells import CELLS
from models.figures.canvas import COLOURS, write
from models.figures.recall import SYMBOLS, accuracy, learn


def draw(path: Path, delays: list[int], updates: int, seed: int) -> None:
    """Train every cell on every delay, from fresh weights each; write the picture and print the accuracies."""
    found: dict[str, list[float]] = {}
    for kind in CELLS:
        found[kind] = [accuracy(learn(kind, delay, updates, seed), delay) for delay in delays]
        shown = "  ".join(f"{delay}: {share:.2f}" for delay, share in zip(delays, found[kind], strict=True))
        print(f"{kind:5} {shown}", flush=True)

    def fill(axes: list[Axes]) -> None:
        for kind, shares in found.items():
            axes[0].plot(delays, shares, marker="o", label=kind, color=COLOURS[kind])
        axes[0].axhline(1 / SYMBOLS, color="black", linestyle=":", label="guessing")
        axes[0].set(xlabel=f"delay, {updates} updates each", ylabel="symbols said right", ylim=(0, 1.05))
        axes[0].legend()

    write(path, 1, fill)
