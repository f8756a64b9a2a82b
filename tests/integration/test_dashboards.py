"""A real Prometheus that scrapes a real server under load answers every panel of every dashboard."""

import asyncio
import time

import grpc
import pytest

from benchmarks.mixed_load import mixed_load
from deploy.grafana.check import faults
from deploy.grafana.prometheus import Prometheus
from seq2serve import command
from seq2serve.v1 import translation_pb2, translation_pb2_grpc
from tests.eventually import eventually
from tests.prometheus_process import BINARY, MISSING, PrometheusProcess
from tests.server_process import ServerProcess

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACED = (("traceparent", f"00-{TRACE}-b7ad6b7169203331-01"),)
pytestmark = pytest.mark.skipif(BINARY is None, reason=MISSING.format("prometheus"))


def test_every_panel_has_data_and_every_rule_is_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is empty, not even what may be; no rule fails; a slow text leads to its trace; the doctor sees it."""
    with (
        ServerProcess("--cache-entries", "8", "--log-level", "error") as server,
        PrometheusProcess([server.http.removeprefix("http://")]) as process,
    ):
        prometheus = Prometheus(process.url)
        with grpc.insecure_channel(server.address) as channel:
            stub = translation_pb2_grpc.TranslationServiceStub(channel)
            stub.Translate(translation_pb2.TranslateRequest(text="Good evening."), metadata=TRACED)
        found: list[str] = []

        def complete() -> bool:
            asyncio.run(mixed_load(server.address, seconds=6, in_flight=12))
            found[:] = faults(prometheus, strict=True)
            return not found

        assert eventually(complete, seconds=60), found
        groups = prometheus.get("rules")["groups"]
        assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}
        (target,) = prometheus.get("targets")["activeTargets"]
        assert target["health"] == "up"
        asked = {
            "query": "seq2serve_request_duration_seconds_bucket",
            "start": time.time() - 60,
            "end": time.time() + 1,
        }
        exemplars = prometheus.get("query_exemplars", **asked)
        assert {one["labels"]["trace_id"] for series in exemplars for one in series["exemplars"]} == {TRACE}
        address = ["--address", server.address]
        command.main(["doctor", *address, "--calls", "2", "--prometheus", process.url])
        said = capsys.readouterr().out
        assert "all 1 up, 1 of them servers" in said
        assert "are evaluated" in said


def test_a_panel_without_data_is_a_fault() -> None:
    """Where nothing is scraped, every panel but those of Prometheus' own figures is named."""
    with PrometheusProcess(["127.0.0.1:1"]) as process:
        assert len(list(faults(Prometheus(process.url)))) > 40
