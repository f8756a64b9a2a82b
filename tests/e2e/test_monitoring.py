"""Prometheus sees all there is, Grafana shows it, and the balancer hears of a slow replica."""

import json
import urllib.error
from typing import Any

import pytest

from seq2serve import Client
from tests.compose_stack import ComposeStack
from tests.e2e.conftest import CPUS
from tests.e2e.counts import handled
from tests.e2e.load import Load
from tests.eventually import eventually
from tests.server_process import ROOT

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed (make test installs it)")
RULES = ROOT / "deploy" / "prometheus" / "rules"
SCRAPED_SECONDS = 60  # only bounds a failure
WEIGHED_SECONDS = 60
SHOWN_SECONDS = 120  # of load: rates of some minutes need some


def targets(stack: ComposeStack) -> list[tuple[str, str]]:
    """List the job and the health of what Prometheus scrapes."""
    active = stack.get("PROMETHEUS_PORT", "/api/v1/targets", state="active")["data"]["activeTargets"]
    return sorted((target["labels"]["job"], target["health"]) for target in active)


def query(stack: ComposeStack, expression: str) -> list[Any]:
    """Return what Prometheus says to an expression."""
    return list(stack.get("PROMETHEUS_PORT", "/api/v1/query", query=expression)["data"]["result"])


def test_all_targets_are_up(stack: ComposeStack) -> None:
    """Every replica, the balancer and Prometheus itself, and nothing that has left."""
    stack.scale(3)
    wanted = [("loadbalancer", "up"), ("prometheus", "up"), *[("server", "up")] * 3]
    assert eventually(lambda: targets(stack) == wanted, SCRAPED_SECONDS), targets(stack)


def test_all_rules_are_loaded_and_healthy(stack: ComposeStack) -> None:
    """Those of the files, by their names."""
    files = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(RULES.glob("*.yml"))]
    written = sorted(
        rule.get("alert") or rule["record"] for file in files for group in file["groups"] for rule in group["rules"]
    )
    assert written, f"{RULES} has no rules"

    def loaded() -> list[tuple[str, str]]:
        groups = stack.get("PROMETHEUS_PORT", "/api/v1/rules")["data"]["groups"]
        return sorted((rule["name"], rule["health"]) for group in groups for rule in group["rules"])

    assert eventually(lambda: loaded() == [(name, "ok") for name in written], SCRAPED_SECONDS), loaded()


def test_a_slow_replica_gets_fewer_calls(stack: ComposeStack) -> None:
    """Its own steps say that it is slow, the balancer asks for that; and when it is well again, for that, too."""
    stack.scale(3)
    slow, *others = stack.ids()

    def weights() -> list[float]:
        up = "haproxy_server_weight{proxy='servers'} and on(server) haproxy_server_status{state='UP'} == 1"
        return sorted(float(one["value"][1]) for one in query(stack, up))

    def well() -> bool:
        return weights() == [100] * 3

    with Client(stack.address, timeout=60) as client, Load(client.translate) as load:
        assert eventually(well, WEIGHED_SECONDS), weights()
        stack.docker("update", "--cpus", "0.05", slow)
        try:
            assert eventually(lambda: weights()[0] <= 60 and weights()[1:] == [100] * 2, WEIGHED_SECONDS), weights()
            before = handled(stack)
            load.more(200)
            calls = {replica: count - before[replica] for replica, count in handled(stack).items()}
        finally:
            stack.docker("update", "--cpus", CPUS, slow)
        assert eventually(well, WEIGHED_SECONDS), weights()
    assert load.failures == []
    assert calls[slow] < min(calls[replica] for replica in others) / 2, calls


def test_every_panel_has_data(stack: ComposeStack) -> None:
    """Under load; asked of the checker that may stand in for Grafana."""

    def complaints() -> list[str]:
        try:
            return list(stack.get("GRAFANA_PORT", "/check")["errors"])
        except urllib.error.HTTPError as error:
            if error.code == 404:
                pytest.skip("this is the real Grafana, which has no command that runs the queries of all panels")
            return list(json.load(error)["errors"])

    with Client(stack.address, timeout=60) as client, Load(client.translate):
        assert eventually(lambda: complaints() == [], SHOWN_SECONDS), complaints()
