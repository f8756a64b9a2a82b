"""Draw the panels of the Grafana dashboards from a real Prometheus that scrapes real servers under a load that grows.

python -m benchmarks.dashboard_pictures docs/figures

These are drawings of the same queries, not screenshots of Grafana. With --prometheus they show what another one holds.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.machine import describe_machine
from benchmarks.mixed_load import mixed_load
from benchmarks.panel_drawing import Drawn, draw, legend_of
from deploy.grafana.prometheus import Prometheus
from deploy.grafana.source.__main__ import ALL
from deploy.grafana.source.dashboard import COLUMNS, Dashboard
from deploy.grafana.source.panel import Panel
from tests.prometheus_process import BINARY, MISSING, PrometheusProcess
from tests.server_process import ServerProcess

REPLICAS = 3
PHASES = ((20, 3), (20, 12), (25, 40), (15, 6))  # seconds, calls in flight
WIDTH, UNIT = 14.0, 0.32  # of a picture, and of a row of the grid, in inches


@contextmanager
def under_load() -> Iterator[tuple[Prometheus, float]]:
    """Serve with several replicas, load them, and yield their Prometheus and for how many seconds it has scraped."""
    with ExitStack() as stack:
        flags = ("--cache-entries", "64", "--threads", "1", "--log-level", "error")
        servers = [stack.enter_context(ServerProcess(*flags)) for _ in range(REPLICAS)]
        targets = [server.http.removeprefix("http://") for server in servers]
        process = stack.enter_context(PrometheusProcess(targets, interval="2s"))
        started = time.monotonic()
        address = f"ipv4:{','.join(server.address for server in servers)}"
        for seconds, in_flight in PHASES:
            calls = asyncio.run(mixed_load(address, seconds, in_flight))
            print(f"{in_flight:3} calls in flight for {seconds} s: {calls} ended", flush=True)
        time.sleep(2)
        yield Prometheus(process.url), time.monotonic() - started


@dataclass(frozen=True)
class Span:
    """Say of what time pictures are: all of the same."""

    until: float  # Unix time
    seconds: float
    window: str  # of rates

    def ask(self, prometheus: Prometheus, panel: Panel) -> Drawn:
        """Return the series of a panel with their legends."""
        step = max(1.0, self.seconds / 120)
        return [
            (legend_of(legend, series.labels), series)
            for expression, legend in panel.queries
            for series in prometheus.panel(expression, self.seconds, step, self.window, self.until)
        ]


def picture(dashboard: Dashboard, prometheus: Prometheus, span: Span) -> Figure:
    """Draw all panels of a dashboard where Grafana puts them."""
    places = [panel for panel in dashboard.json()["panels"] if panel["type"] != "row"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in places)
    figure = Figure(figsize=(WIDTH, height * UNIT), layout=None)
    figure.suptitle(f"{dashboard.title}: drawn from Prometheus' data, not a screenshot", fontsize=10, y=0.995)
    for place, panel in zip(places, dashboard.panels, strict=True):
        grid = place["gridPos"]
        left, bottom = grid["x"] / COLUMNS, 1 - (grid["y"] + grid["h"]) / height
        box = (left + 0.035, bottom + 0.9 / height, grid["w"] / COLUMNS - 0.045, (grid["h"] - 2.4) / height)
        draw(figure.add_axes(box), panel, span.ask(prometheus, panel))
    return figure


def draw_all(prometheus: Prometheus, folder: Path, seconds: float, window: str) -> None:
    """Write a picture of each dashboard."""
    folder.mkdir(parents=True, exist_ok=True)
    span = Span(time.time(), seconds, window)
    for name, dashboard in ALL.items():
        path = folder / f"dashboard-{name}.png"
        picture(dashboard, prometheus, span).savefig(path, dpi=75)
        print(f"{path}: {path.stat().st_size >> 10} KiB")


def main() -> int:
    """Draw from servers of our own, or from a Prometheus that is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the pictures are written")
    parser.add_argument("--prometheus", metavar="URL", help="draw what this one holds, instead of a load of our own")
    parser.add_argument("--seconds", type=float, default=900.0, help="with --prometheus: how far back")
    arguments = parser.parse_args()
    if arguments.prometheus:
        draw_all(Prometheus(arguments.prometheus), arguments.folder, arguments.seconds, "1m")
        return 0
    if BINARY is None:
        print(MISSING.format("prometheus"), file=sys.stderr)
        return 1
    print(describe_machine())
    with under_load() as (prometheus, seconds):
        draw_all(prometheus, arguments.folder, seconds, "10s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
