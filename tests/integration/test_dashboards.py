"""A real Prometheus that scrapes a real server under load answers every panel of every dashboard."""

import asyncio
import threading

import pytest

from benchmarks.mixed_load import mixed_load
from deploy.grafana.check import faults
from deploy.grafana.prometheus import Prometheus
from tests.eventually import eventually
from tests.prometheus_process import BINARY, MISSING, PrometheusProcess
from tests.server_process import ServerProcess

pytestmark = pytest.mark.skipif(BINARY is None, reason=MISSING.format("prometheus"))


def test_every_panel_has_data_and_every_rule_is_in_order() -> None:
    """Nothing is empty, not even what may be; no rule fails; texts get exemplars."""
    with (
        ServerProcess("--cache-entries", "8", "--log-level", "error") as server,
        PrometheusProcess([server.http.removeprefix("http://")]) as process,
    ):
        prometheus = Prometheus(process.url)
        load = threading.Thread(target=lambda: asyncio.run(mixed_load(server.address, seconds=6, in_flight=12)))
        load.start()
        load.join()
        found: list[str] = []

        def complete() -> bool:
            found[:] = faults(prometheus, strict=True)
            return not found

        assert eventually(complete), found
        groups = prometheus.get("rules")["groups"]
        assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}
        (target,) = prometheus.get("targets")["activeTargets"]
        assert target["health"] == "up"


def test_a_panel_without_data_is_a_fault() -> None:
    """Where nothing is scraped, every panel but those of Prometheus' own figures is named."""
    with PrometheusProcess(["127.0.0.1:1"]) as process:
        assert len(list(faults(Prometheus(process.url)))) > 40
