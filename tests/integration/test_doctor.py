"""The two doctors find the faults that are put before them, and say what to do."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from seq2serve import command
from seq2serve.doctor.finding import Level
from service.doctor.command import examine
from service.tokens import digest_of
from tests.certificates import Authority
from tests.integration.test_lifecycle import put
from tests.server_process import ROOT, ServerProcess

Doctor = Callable[..., tuple[int, str]]


def faults(*flags: str) -> list[str]:
    """Return what the server's doctor finds wrong with a server of these flags."""
    return [str(finding) for finding in examine(list(flags)) if finding.level is Level.FAULT]


def test_a_server_that_is_well() -> None:
    """The command ends with 0, and names the provider that really ran the golden translations."""
    command = [sys.executable, "-m", "service", "doctor", "--model-repository", str(ROOT / "model_repository")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "golden translations come out on CPUExecutionProvider in int8" in run.stdout
    assert run.stdout.endswith("all is well\n")


def test_a_server_s_faults(tmp_path: Path) -> None:
    """A damaged file, another golden translation and a file that is no token: each is named, and the rest is tried."""
    (tmp_path / "en-de").mkdir()
    put(tmp_path, 1)
    put(tmp_path, 2, broken=True)
    with (tmp_path / "en-de" / "1" / "weights.bin").open("r+b") as weights:
        weights.write(b"\xff")
    (tmp_path / ".tokens").write_text("nonsense\n")
    found = faults("--model-repository", str(tmp_path), "--token-file", str(tmp_path / ".tokens"))
    assert len(found) == 3
    assert "access" in found[0]
    assert "weights.bin" in found[1]
    assert "copy it again" in found[1]
    assert "en-de/2" in found[2]
    assert "golden sentence" in found[2]
    assert "--precision fp32" in found[2]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--slots", "-1"), "--slots '-1'"),
        (("--model-repository", "/nowhere"), "there is no such folder"),
        (("--default-model", "xx"), "not among en-de"),
        (("--aliases", "en-de:stable=7"), "en-de has no version 7, but 1"),
        (("--device", "cuda"), "--device cpu"),
        (("--tls-key", "x.pem"), "--tls-certificate is missing"),
        (("--precision", "fp32", "--serve-versions", "en-de/7"), "has no version 7"),
    ],
)
def test_settings_that_cannot_be(flags: tuple[str, ...], said: str) -> None:
    """Settings that the server would refuse are faults with the server's words."""
    found = faults("--model-repository", str(ROOT / "model_repository"), *flags)
    assert any(said in fault for fault in found), found
    assert all("->" in fault for fault in found)


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Return what runs the client's doctor; it gives the exit code and what was printed."""

    def run(address: str, *flags: str) -> tuple[int, str]:
        code = command.main(["doctor", "--address", address, "--timeout", "10", *flags])
        return code, capsys.readouterr().out

    return run


def test_a_service_that_is_well(server: ServerProcess, doctor: Doctor) -> None:
    """Health, each model, and who answered."""
    code, said = doctor(server.address)
    assert code == 0, said
    for line in ("SERVING", "on CPUExecutionProvider in int8", "30 calls, 1 replica:", "all is well"):
        assert line in said


def test_a_spread_over_replicas(server: ServerProcess, fp32_server: ServerProcess, doctor: Doctor) -> None:
    """Two servers behind one address share the calls; a third that is expected is missed."""
    both = f"ipv4:{server.address},{fp32_server.address}"
    assert "30 calls, 2 replicas" in doctor(both, "--replicas", "2")[1]
    code, said = doctor(both, "--replicas", "3")
    assert code == 1
    assert "3 were expected" in said
    assert "load balancer" in said


def test_nobody_answers(doctor: Doctor) -> None:
    """It says how to start one."""
    code, said = doctor("127.0.0.1:1", "--timeout", "1")
    assert code == 1
    assert "nothing answers" in said
    assert "make serve" in said


def test_one_side_alone_has_tls(server: ServerProcess, doctor: Doctor, tmp_path: Path) -> None:
    """A client with TLS before a server without is told so."""
    authority = Authority(tmp_path)
    code, said = doctor(server.address, "--tls-ca", str(authority.certificate), "--timeout", "2")
    assert code == 1
    assert "TLS on one side alone" in said


def test_a_token_is_missing(doctor: Doctor, tmp_path: Path) -> None:
    """Health is open, and models say what to show."""
    (tmp_path / "tokens").write_text(f"web translate {digest_of('secret').hex()}\n")
    with ServerProcess("--token-file", str(tmp_path / "tokens")) as server:
        code, said = doctor(server.address)
    assert code == 1
    assert "SERVING" in said
    assert "show a token" in said


def test_a_server_that_drains(doctor: Doctor) -> None:
    """NOT_SERVING is a fault, and so is a server without models."""
    server = grpc.server(futures.ThreadPoolExecutor(2))
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    code, said = doctor(f"127.0.0.1:{port}")
    server.stop(0)
    assert code == 1
    assert "NOT_SERVING" in said
    assert "FAULT  models" in said


@contextmanager
def prometheus(answers: dict[str, object]) -> Iterator[str]:
    """Answer as Prometheus' HTTP API does, by the last part of the path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path.split("/")[-1].split("?")[0])
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(json.dumps({"status": "success", "data": found}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def target(job: str, health: str = "up") -> dict[str, object]:
    """Make a scrape target."""
    return {"labels": {"job": job}, "scrapeUrl": f"http://{job}/metrics", "health": health, "lastError": "refused"}


RULE = {"name": "QueueIsOld", "health": "ok", "alerts": []}
FIRING = {**RULE, "alerts": [{"state": "firing", "annotations": {"summary": "waits", "runbook": "add replicas"}}]}


@pytest.mark.parametrize(
    ("targets", "rules", "flags", "said"),
    [
        ([target("server"), target("loadbalancer")], [RULE], (), None),
        ([target("server"), target("server", "down")], [RULE], (), "is down: refused"),
        ([target("server")], [RULE], ("--replicas", "1"), None),
        ([target("elsewhere")], [RULE], (), "no target has the job 'server'"),
        ([target("server")], [], (), "none is loaded"),
        ([target("server")], [{**RULE, "health": "err", "lastError": "many-to-many"}], (), "many-to-many"),
        ([target("server")], [FIRING], (), "-> add replicas"),
    ],
)
def test_prometheus_is_looked_at(
    server: ServerProcess,
    doctor: Doctor,
    targets: object,
    rules: list[object],
    flags: tuple[str, ...],
    said: str | None,
) -> None:
    """Targets that are down or missing, rules that fail or are not there, and alerts that fire are faults."""
    answers = {"targets": {"activeTargets": targets}, "rules": {"groups": [{"rules": rules}]}}
    with prometheus(answers) as url:
        code, printed = doctor(server.address, "--prometheus", url, "--calls", "2", *flags)
    assert code == (0 if said is None else 1), printed
    assert said is None or said in printed


def test_prometheus_that_scrapes_too_few(server: ServerProcess, fp32_server: ServerProcess, doctor: Doctor) -> None:
    """Two replicas answer, and one target stands for both."""
    answers = {"targets": {"activeTargets": [target("server")]}, "rules": {"groups": [{"rules": [RULE]}]}}
    with prometheus(answers) as url:
        both = f"ipv4:{server.address},{fp32_server.address}"
        code, said = doctor(both, "--prometheus", url, "--replicas", "2")
    assert code == 1
    assert "1 of 2 replicas are scraped" in said
    assert "dns_sd_configs" in said


def test_prometheus_that_is_none(server: ServerProcess, doctor: Doctor) -> None:
    """An address of something else is said to be so."""
    code, said = doctor(server.address, "--prometheus", server.http, "--calls", "2")
    assert code == 1
    assert "does not answer as Prometheus does" in said
