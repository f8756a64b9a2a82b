"""One dashboard: rows of panels, laid out from left to right."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deploy.grafana.source.panel import DATASOURCE, Panel

COLUMNS = 24
SCHEMA = 39  # of Grafana 11.2
VARIABLES = {
    "model": "label_values(seq2serve_model_info, model)",
    "instance": "label_values(seq2serve_build_info, instance)",
}


@dataclass(frozen=True)
class Row:
    """Hold panels that answer one question."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Dashboard:
    """Describe a dashboard; `variables` are what its panels can be narrowed to."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[str, ...] = ()

    @property
    def panels(self) -> list[Panel]:
        """List all panels."""
        return [panel for row in self.rows for panel in row.panels]

    def json(self) -> dict[str, Any]:
        """Return what Grafana reads."""
        return {
            "uid": self.uid,
            "title": f"seq2serve: {self.title}",
            "description": self.description,
            "tags": ["seq2serve"],
            "schemaVersion": SCHEMA,
            "version": 1,
            "editable": False,
            "timezone": "browser",
            "refresh": "10s",
            "time": {"from": "now-1h", "to": "now"},
            "graphTooltip": 1,  # one crosshair for all panels
            "links": [
                {
                    "type": "dashboards",
                    "title": "seq2serve",
                    "tags": ["seq2serve"],
                    "asDropdown": True,
                    "keepTime": True,
                }
            ],
            "templating": {"list": [_variable(name) for name in self.variables]},
            "annotations": {"list": []},
            "panels": list(self._laid_out()),
        }

    def _laid_out(self) -> Iterator[dict[str, Any]]:
        number = y = 0
        for row in self.rows:
            number += 1
            place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
            yield {"id": number, "type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}
            y, x, deepest = y + 1, 0, 0
            for panel in row.panels:
                if x + panel.width > COLUMNS:
                    y, x, deepest = y + deepest, 0, 0
                number += 1
                yield panel.json(number, x, y)
                x, deepest = x + panel.width, max(deepest, panel.height)
            y += deepest


def _variable(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": VARIABLES[name],
        "query": {"query": VARIABLES[name], "refId": name},
        "refresh": 2,
        "sort": 1,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }
