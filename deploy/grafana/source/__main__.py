"""Write the dashboards that Grafana reads: python -m deploy.grafana.source."""

import json
from pathlib import Path

from deploy.grafana.source import engine, latency, models, overview, replicas
from deploy.grafana.source.dashboard import Dashboard

FOLDER = Path(__file__).parents[1] / "dashboards"
ALL = {file.__name__.rpartition(".")[2]: file.DASHBOARD for file in (overview, latency, engine, replicas, models)}


def text(dashboard: Dashboard) -> str:
    """Return a dashboard's file."""
    return json.dumps(dashboard.json(), indent=1) + "\n"


def main() -> None:
    """Write all of them."""
    for name, dashboard in ALL.items():
        (FOLDER / f"{name}.json").write_text(text(dashboard), encoding="utf-8")


if __name__ == "__main__":
    main()
