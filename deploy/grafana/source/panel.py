"""One panel: what it asks Prometheus, how it shows the answer, and what to do when it looks wrong."""

from dataclasses import dataclass, field
from typing import Any, Literal

DATASOURCE = {"type": "prometheus", "uid": "prometheus"}
Kind = Literal["timeseries", "stat", "bargauge", "heatmap", "table"]
LETTERS = "ABCDEFGHIJ"


@dataclass(frozen=True)
class Panel:
    """Describe a panel; `queries` are PromQL and legends, of which `{{label}}` is filled in."""

    title: str
    shows: str  # in a sentence
    wrong: str  # what to do when it looks wrong
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"  # of Grafana: s, reqps, percentunit, bytes, short
    kind: Kind = "timeseries"
    width: int = 8  # of 24
    height: int = 8
    stacked: bool = False
    most: float | None = None  # of the axis
    red: float | None = None  # from which value on it is
    hidden: tuple[str, ...] = field(default=())  # columns of a table

    @property
    def description(self) -> str:
        """Return what Grafana shows behind the i."""
        return f"{self.shows}\n\nWhen it looks wrong: {self.wrong}"

    def json(self, number: int, x: int, y: int) -> dict[str, Any]:
        """Return Grafana's description, at a place in a grid of 24 columns."""
        panel: dict[str, Any] = {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [self._target(*query) for query in zip(LETTERS, self.queries, strict=False)],
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
            "options": self._options(),
        }
        if self.kind == "table":
            hidden = dict.fromkeys(("Time", "Value", "__name__", *self.hidden), True)
            panel["transformations"] = [{"id": "organize", "options": {"excludeByName": hidden}}]
        return panel

    def _target(self, letter: str, query: tuple[str, str]) -> dict[str, Any]:
        expression, legend = query
        instant = self.kind in ("stat", "bargauge", "table")
        return {
            "refId": letter,
            "datasource": DATASOURCE,
            "expr": expression,
            "legendFormat": legend or "__auto",
            "instant": instant,
            "range": not instant,
            "format": {"heatmap": "heatmap", "table": "table"}.get(self.kind, "time_series"),
        }

    def _defaults(self) -> dict[str, Any]:
        steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
        if self.red is not None:
            steps.append({"color": "red", "value": self.red})
        defaults: dict[str, Any] = {"unit": self.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}
        if self.most is not None:
            defaults["max"] = self.most
        if self.kind == "timeseries":
            defaults["custom"] = {
                "drawStyle": "line",
                "lineWidth": 1,
                "fillOpacity": 60 if self.stacked else 5,
                "showPoints": "never",
                "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
                "thresholdsStyle": {"mode": "off" if self.red is None else "line"},
            }
        return defaults

    def _options(self) -> dict[str, Any]:
        match self.kind:
            case "timeseries":
                legend = {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []}
                return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
            case "heatmap":
                return {
                    "calculate": False,
                    "cellGap": 1,
                    "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5},
                    "yAxis": {"unit": self.unit, "axisPlacement": "left"},
                    "tooltip": {"mode": "single", "yHistogram": True},
                    "legend": {"show": False},
                }
            case "table":
                return {"showHeader": True, "cellHeight": "sm"}
            case "bargauge":
                reduce = {"calcs": ["lastNotNull"], "values": False, "fields": ""}
                return {"orientation": "horizontal", "displayMode": "basic", "reduceOptions": reduce}
            case "stat":
                reduce = {"calcs": ["lastNotNull"], "values": False, "fields": ""}
                return {"colorMode": "value", "graphMode": "none", "textMode": "auto", "reduceOptions": reduce}
