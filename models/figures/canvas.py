"""Pictures in one style, written as PNG with the same bytes for the same numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# The default style, whatever the user's own is; white behind it all, as a page may be dark.
STYLE: list[str | dict[str, Any]] = ["default", {"figure.facecolor": "white", "axes.grid": True, "grid.color": "0.9"}]
COLOURS = {"rnn": "tab:gray", "gru": "tab:blue", "lstm": "tab:red"}


def write(
    path: Path, columns: int, draw: Callable[[list[Axes]], None], width: float = 5.0, height: float = 4.0
) -> None:
    """Let `draw` fill a number of axes side by side, and write the picture; sizes are in inches, of one of them."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(width * columns, height), layout="constrained")
        axes: list[Axes] = list(figure.subplots(1, columns, squeeze=False)[0])
        draw(axes)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="png", dpi=110, metadata={"Software": None})


def heat_map(axes: Axes, weights: Any, source: list[str], target: list[str]) -> None:
    """Show alignment weights (T, S) as Bahdanau et al. (2015, Fig. 3) do: white is 1."""
    axes.imshow(weights, cmap="gray", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(source)), source, rotation=90)
    axes.set_yticks(range(len(target)), target)
    axes.xaxis.tick_top()
    axes.grid(visible=False)
