"""Every kind of panel can be drawn from what Prometheus answers, and an empty one says that it is."""

import pytest

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure

from benchmarks.panel_drawing import MOST, draw, legend_of, shown
from deploy.grafana.prometheus import Series
from deploy.grafana.source.__main__ import ALL
from deploy.grafana.source.panel import Panel

PANELS = {panel.kind: panel for dashboard in ALL.values() for panel in dashboard.panels}
ANSWER = [
    (name, Series({"le": bound, "model": "en-de", "version": "1"}, [(10.0 + at, at * height) for at in range(5)]))
    for name, bound, height in (("a", "0.1", 1.0), ("b", "0.5", 2.0), ("c", "+Inf", 3.0))
]


def texts(panel: Panel, answer: list[tuple[str, Series]]) -> str:
    """Draw a panel; returns what is written on it."""
    axes = Figure().add_subplot()
    draw(axes, panel, answer)
    legend = axes.get_legend()
    written = [*axes.texts, *(legend.get_texts() if legend else ()), *axes.get_yticklabels()]
    return " ".join([axes.get_title(loc="left"), *(text.get_text() for text in written)])


@pytest.mark.parametrize("kind", ["timeseries", "stat", "bargauge", "heatmap", "table"])
def test_panels_are_drawn(kind: str) -> None:
    """Each shows its title, and what it was given."""
    panel = PANELS[kind]
    said = texts(panel, ANSWER)
    assert panel.title in said
    if kind in ("timeseries", "bargauge"):
        assert all(name in said for name, _ in ANSWER)
    assert "no data" in texts(panel, [])


def test_the_highest_series_are_drawn() -> None:
    """Of more series than a legend holds, those that show."""
    many = [(f"series-{n:02}", Series({}, [(0.0, n), (1.0, n)])) for n in range(MOST + 3)]
    said = texts(PANELS["timeseries"], many)
    assert "series-10" in said
    assert "series-02" not in said


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.0123, "s", "12.3 ms"), (2.5, "s", "2.5 s"), (0.25, "percentunit", "25 %"), (3e8, "bytes", "300 MB")],
)
def test_values_have_their_units(value: float, unit: str, text: str) -> None:
    """As their users read them."""
    assert shown(value, unit) == text
    assert legend_of("{{a}}/{{ b }}", {"a": "x", "b": "y"}) == "x/y"
