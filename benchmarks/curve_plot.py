"""Curves of throughput and latency as a picture: the same bytes for the same points."""

import io
from collections.abc import Mapping
from itertools import cycle
from typing import Any

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.row import Row
from benchmarks.systems import OURS

# The default style, whatever the user's own is; white behind it all, as a page may be dark; text that stays text.
STYLE: list[str | dict[str, Any]] = [
    "default",
    {"svg.hashsalt": OURS, "svg.fonttype": "none", "figure.facecolor": "white"},
]
RED = "tab:red"  # of all lines of ours
STROKES = ("-", "--", ":", "-.")
OTHERS = (
    *("tab:blue", "tab:cyan", "tab:green", "tab:gray", "tab:orange", "tab:brown", "tab:purple", "tab:olive"),
    *("tab:pink", "black"),
)
MARKERS = "sD^vPX*h<>"


def draw(medians: Mapping[str, Mapping[int, Row]]) -> bytes:
    """Draw an SVG: a line for each system, through a point for each number in flight that has a latency."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(9, 7), layout="constrained")
        axes = figure.add_subplot()
        strokes, looks = cycle(STROKES), cycle(zip(OTHERS, MARKERS, strict=True))
        for name, line in medians.items():
            places = _places(line).values()
            rates, latencies = [rate for rate, _ in places], [latency for _, latency in places]
            if name.startswith(OURS):
                axes.plot(rates, latencies, next(strokes), label=name, color=RED, marker="o", linewidth=2.5, zorder=3)
            else:
                colour, marker = next(looks)
                axes.plot(rates, latencies, label=name, color=colour, marker=marker, linewidth=1.2, markersize=5)
        for in_flight, place in _places(medians.get(OURS, {})).items():
            axes.annotate(str(in_flight), place, (6, -11), textcoords="offset points", color=RED, zorder=4)
        _scale(axes)
        figure.legend(loc="outside lower center", ncols=2, handlelength=4, frameon=False)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def _places(line: Mapping[int, Row]) -> dict[int, tuple[float, float]]:
    """Return where the points of a line are, by number in flight."""
    return {
        in_flight: (row.sentences_per_second, 1000 * row.p95) for in_flight, row in line.items() if row.p95 is not None
    }


def _scale(axes: Axes) -> None:
    """Name the axes, and write latencies out instead of as powers of ten."""
    axes.set(xlabel="sentences per second", ylabel="95th percentile of latency, ms (labels: number in flight)")
    axes.set_xlim(left=0)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(color="0.9")
