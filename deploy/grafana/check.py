"""See that every panel of every dashboard gets data from a Prometheus: python -m deploy.grafana.check URL."""

import argparse
import re
import sys
from collections.abc import Iterator

from deploy.grafana.prometheus import Prometheus, QueryFailed
from deploy.grafana.source.__main__ import ALL

MAY_BE_EMPTY = "may be empty"  # says the description of a panel that shows what seldom happens
SECONDS, STEP = 300, 5
LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def faults(prometheus: Prometheus, strict: bool = False) -> Iterator[str]:
    """Name the panels without data, or without the labels of their legends; `strict`: also those that may be empty."""
    for name, dashboard in ALL.items():
        for panel in dashboard.panels:
            for expression, legend in panel.queries:
                where = f"{name}, {panel.title}"
                try:
                    series = prometheus.panel(expression, SECONDS, STEP)
                except QueryFailed as error:
                    yield f"{where}: {error}"
                    continue
                if not series and (strict or MAY_BE_EMPTY not in panel.shows):
                    yield f"{where}: no data for {expression}"
                missing = [label for label in LABEL.findall(legend) if series and label not in series[0].labels]
                yield from (f"{where}: the legend's label {label} is not in the result" for label in missing)


def main() -> int:
    """Print what is wrong; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of a Prometheus that scrapes servers under load, such as http://127.0.0.1:9090")
    parser.add_argument("--strict", action="store_true", help="nothing may be empty")
    arguments = parser.parse_args()
    found = list(faults(Prometheus(arguments.url), arguments.strict))
    for fault in found:
        print(fault)
    panels = sum(len(dashboard.panels) for dashboard in ALL.values())
    print(f"{panels} panels of {len(ALL)} dashboards, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
