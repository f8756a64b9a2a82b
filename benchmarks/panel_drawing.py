"""Draw a panel of a dashboard with matplotlib, from what Prometheus answers."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from deploy.grafana.prometheus import Series
from deploy.grafana.source.panel import Panel

Drawn: TypeAlias = list[tuple[str, Series]]  # with their legends
MOST = 8  # series of a panel
HEADROOM = 1.3  # for the legend
WIDEST = 22  # characters of a cell
LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def legend_of(template: str, labels: Mapping[str, str]) -> str:
    """Fill a legend in."""
    return LABEL.sub(lambda found: labels.get(found[1], ""), template)


def draw(axes: Axes, panel: Panel, drawn: Drawn) -> None:
    """Draw a panel with its title; says so where there is no data."""
    axes.set_title(panel.title, fontsize=9, loc="left", fontweight="bold")
    axes.tick_params(labelsize=7)
    if not drawn:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no data", ha="center", va="center", fontsize=9, color="gray")
        return
    kinds: dict[str, Callable[[Axes, Panel, Drawn], None]] = {
        "timeseries": _lines,
        "stat": _number,
        "bargauge": _bars,
        "heatmap": _heat,
        "table": _table,
    }
    if panel.kind == "timeseries" and len(drawn) > MOST:  # the others hardly show
        highest = sorted(drawn, key=lambda one: -max(value for _, value in one[1].samples))[:MOST]
        drawn = [one for one in drawn if one in highest]
    kinds[panel.kind](axes, panel, drawn)


def _lines(axes: Axes, panel: Panel, drawn: Drawn) -> None:
    begin = min(series.samples[0][0] for _, series in drawn)
    if panel.stacked:
        moments = sorted({at for _, series in drawn for at, _ in series.samples})
        heights = [[dict(series.samples).get(at, 0.0) for at in moments] for _, series in drawn]
        axes.stackplot([at - begin for at in moments], heights, labels=[name for name, _ in drawn], alpha=0.75)
    else:
        for name, series in drawn:
            axes.plot([at - begin for at, _ in series.samples], [v for _, v in series.samples], label=name, linewidth=1)
    if panel.red is not None and panel.red <= 2 * axes.get_ylim()[1]:
        axes.axhline(panel.red, color="red", linewidth=0.7, linestyle="--")
    axes.set_ylim(0, panel.most or HEADROOM * axes.get_ylim()[1])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value, panel.unit)))
    axes.grid(alpha=0.3)
    axes.set_xlabel("s", fontsize=7, loc="right", labelpad=-8)
    handles, names = axes.get_legend_handles_labels()
    if any(names):
        axes.legend(handles, names, fontsize=6, loc="upper left", framealpha=0.6)


def _number(axes: Axes, panel: Panel, drawn: Drawn) -> None:
    value = drawn[0][1].samples[-1][1]
    color = "red" if panel.red is not None and value >= panel.red else "green"
    axes.set_axis_off()
    axes.text(0.5, 0.4, shown(value, panel.unit), ha="center", va="center", fontsize=20, color=color)


def _bars(axes: Axes, panel: Panel, drawn: Drawn) -> None:
    names, values = [name for name, _ in drawn], [series.samples[-1][1] for _, series in drawn]
    bars = axes.barh(range(len(values)), values, color="tab:green", alpha=0.7)
    axes.bar_label(bars, [shown(value, panel.unit) for value in values], fontsize=7, padding=2)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.margins(x=0.2)


def _heat(axes: Axes, panel: Panel, drawn: Drawn) -> None:
    """Draw how many fell between one bound and the next, over time."""
    by_bound = sorted((float(series.labels["le"]), dict(series.samples)) for _, series in drawn)
    moments = sorted({at for _, samples in by_bound for at in samples})
    below = numpy.array([[samples.get(at, 0.0) for at in moments] for _, samples in by_bound])
    inside = numpy.diff(below, axis=0, prepend=0)
    used = numpy.flatnonzero(inside.any(axis=1))
    first, last = int(used.min(initial=0)), int(used.max(initial=len(inside) - 1))
    shades = numpy.sqrt(numpy.maximum(inside[first : last + 1], 0))  # scrapes of replicas are not of one moment
    axes.imshow(shades, aspect="auto", origin="lower", cmap="Oranges", interpolation="nearest")
    bounds = [bound for bound, _ in by_bound[first : last + 1]]
    axes.set_yticks(range(0, len(bounds), 2), [shown(bound, panel.unit) for bound in bounds[::2]])
    places = numpy.linspace(0, len(moments) - 1, 6).astype(int)
    axes.set_xticks(places, [f"{moments[place] - moments[0]:.0f}" for place in places])
    axes.set_xlabel("s", fontsize=7, loc="right", labelpad=-8)


def _table(axes: Axes, panel: Panel, drawn: Drawn) -> None:
    axes.set_axis_off()
    columns = [label for label in drawn[0][1].labels if label not in (*panel.hidden, "__name__")]
    rows = [[_cell(series.labels[column]) for column in columns] for _, series in drawn]
    table: Any = axes.table(cellText=rows, colLabels=columns, loc="upper left", cellLoc="left")
    table.auto_set_font_size(False)
    table.set_fontsize(7)


def _cell(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[:WIDEST]}..."


def shown(value: float, unit: str) -> str:
    """Return a value as its unit's users read it."""
    match unit:
        case "s" if value == float("inf"):
            return "more"
        case "s":
            return f"{value:.3g} s" if abs(value) >= 1 or value == 0 else f"{1000 * value:.3g} ms"
        case "percentunit":
            return f"{100 * value:.3g} %"
        case "bytes":
            return f"{value / 1e6:.4g} MB"
        case "reqps":
            return f"{value:.3g}/s"
        case _:
            return f"{value:.4g}"
