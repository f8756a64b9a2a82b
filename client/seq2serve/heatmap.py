"""A picture of an alignment, as Bahdanau et al. (2015, Fig. 3) draw theirs; needs the extra `plot`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seq2serve.result import Translation

FORMATS = ("png", "svg", "pdf")


def weights(translation: Translation, units: tuple[int, int]) -> list[list[float]]:
    """Spread the links of the best hypothesis over a table of (target, source) units."""
    table = [[0.0] * units[1] for _ in range(units[0])]
    for link in translation.hypotheses[0].alignment:
        table[link.target][link.source] = link.weight
    return table


def write(path: Path, table: Sequence[Sequence[float]], source: Sequence[str], target: Sequence[str]) -> None:
    """Draw weights (T, S) between 0, black, and 1, white, in the format that the file's name ends with.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2 + 0.35 * len(source), 1.5 + 0.3 * len(target)), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(table, cmap="gray", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(source)), source, rotation=90)
    axes.set_yticks(range(len(target)), target)
    axes.xaxis.tick_top()
    figure.savefig(path, dpi=110, metadata={"Software": None} if path.suffix == ".png" else None)
