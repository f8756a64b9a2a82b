"""Prometheus' rules: they say what to do, fire where they must, and ask for metrics that there are."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana.source.__main__ import ALL, FOLDER, text
from tests.prometheus_process import MISSING, PROMTOOL, RULES
from tests.server_process import ROOT

TESTS = RULES.parent / "tests"
NAME = re.compile(r"[a-zA-Z_:][\w:]*")
NO_METRIC = re.compile(
    r'"[^"]*"|\{[^}]*\}|\[[^]]*\]|\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)|\w+\s*(?=\()'
)
WORDS = {"and", "or", "unless", "bool", "offset", "sum", "avg", "max", "min", "count", "stddev"}
OF_OTHERS = {"up", "ALERTS", "haproxy_backend_active_servers"}
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason=MISSING.format("promtool"))


def rules() -> Iterator[dict[str, Any]]:
    """Yield all rules."""
    for file in sorted(RULES.glob("*.yml")):
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def asked_for(expression: str) -> set[str]:
    """Return the metrics of an expression."""
    left = NO_METRIC.sub(" ", expression)
    return {name for name in NAME.findall(left) if name not in WORDS and not name.startswith("__")}


def promtool(*arguments: str | Path) -> None:
    """Run promtool, which must find nothing."""
    assert PROMTOOL is not None
    run = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, timeout=240, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_metrics_are_found_in_expressions() -> None:
    """Functions, labels, strings and words are no metrics."""
    found = asked_for(
        'histogram_quantile(0.9, sum by (le) (rate(a_bucket{b="c"}[5m]))) > on (x) 3 * d:e and f or vector(0)'
    )
    assert found == {"a_bucket", "d:e", "f"}


def test_what_is_asked_for_is_there() -> None:
    """Rules and dashboards ask for metrics that docs/metrics.md lists, or that a rule records."""
    listed = re.findall(r"\| `(\w+)` \| (\w+) \|", (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"))
    there = OF_OTHERS | {rule["record"] for rule in rules() if "record" in rule}
    for name, kind in listed:
        there |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    expressions = [rule["expr"] for rule in rules()]
    expressions += [query for dashboard in ALL.values() for panel in dashboard.panels for query, _ in panel.queries]
    assert {name for expression in expressions for name in asked_for(expression)} - there == set()


@pytest.mark.parametrize("alert", ALERTS)
def test_alerts_say_what_to_do(alert: str) -> None:
    """Each has a severity, a sentence, a figure and a runbook, and a case where it fires."""
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("page", "ticket", "info")
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert len(rule["annotations"]["runbook"]) > 40
    cases = "".join(file.read_text(encoding="utf-8") for file in TESTS.glob("*.yml"))
    assert f'alertname="{alert}"' in cases
    assert f"| `{alert}` |" in (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")


@needs_promtool
def test_rules_are_rules() -> None:
    """Promtool can read them, and finds no expression that is none."""
    promtool("check", "rules", *sorted(RULES.glob("*.yml")))


@needs_promtool
def test_alerts_fire_where_they_must_and_nowhere_else() -> None:
    """The cases of deploy/prometheus/tests name all alerts that fire at a time."""
    promtool("test", "rules", *sorted(TESTS.glob("*.yml")))


@pytest.mark.parametrize("name", ALL)
def test_dashboards_are_what_their_source_gives(name: str) -> None:
    """Whoever changes a panel runs python -m deploy.grafana.source."""
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == text(ALL[name])


def test_no_other_dashboard_is_left() -> None:
    """Every file of the folder has a source."""
    assert {file.stem for file in FOLDER.glob("*.json")} == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_panels_fit_and_say_what_to_do(name: str) -> None:
    """No two of a dashboard overlap, and each says what it shows and what to do."""
    taken: set[tuple[int, int]] = set()
    for panel in ALL[name].json()["panels"]:
        place = panel["gridPos"]
        cells = {(x + place["x"], y + place["y"]) for x in range(place["w"]) for y in range(place["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
    for shown in ALL[name].panels:
        assert len(shown.shows) > 10, shown.title
        assert len(shown.wrong) > 10, shown.title
