"""What the Dockerfile, docker-compose.yml and haproxy.cfg promise to each other and to the server."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from service.compose_command import MOST, compose_file
from service.settings import Settings
from tests.server_process import ROOT

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed (make test installs it)")
COMPOSE_VERSION = ["docker", "compose", "version"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
HAPROXY = (ROOT / "deploy" / "haproxy" / "haproxy.cfg").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
PROMETHEUS = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
SERVER: dict[str, Any] = COMPOSE["services"]["server"]


def environment() -> dict[str, str]:
    """Return what the image and the compose file set for the server."""
    set_here = {name: re.sub(r"\$\{\w+-(.*)\}", r"\1", value) for name, value in SERVER["environment"].items()}
    return {**dict(re.findall(r"(SEQ2SERVE_\w+)=(\S+)", DOCKERFILE)), **set_here}


def test_the_image_is_built_and_run_as_is_safe() -> None:
    """Of no other frontend, with hashes, as nobody, and with a first process that gets the signals."""
    assert "# syntax" not in DOCKERFILE
    assert "--require-hashes" in DOCKERFILE
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["65534:65534"]
    assert json.loads(re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)[-1]) == ["python", "-m", "service"]


def test_what_is_set_is_a_setting() -> None:
    """The server refuses to start with a name that it does not know."""
    known = {f"SEQ2SERVE_{name}".upper() for name in Settings.model_fields}
    assert environment().keys() <= known


def test_an_image_can_have_what_traces_need() -> None:
    """The refusal of --otlp-endpoint names the argument; nothing can be installed in a container."""
    assert SERVER["build"]["args"] == {"TRACING": "${TRACING:-}"}
    built = DOCKERFILE.split("\nFROM ")[1]
    assert re.search(r'^ARG TRACING=\n.*^RUN test -z "\$\{TRACING\}" \|\|.*-r tracing.txt$', built, re.M | re.S)
    assert "TRACING=1" in (ROOT / "service" / "tracing.py").read_text(encoding="utf-8")


def test_ports_are_where_others_look_for_them() -> None:
    """Image, health check, balancer and Prometheus speak of the same ports."""
    grpc, http, agent = (environment()[f"SEQ2SERVE_{name}_ADDRESS"] for name in ("GRPC", "HTTP", "AGENT"))
    assert f"server:{grpc.rpartition(':')[2]}\n" in HAPROXY
    assert f"agent-port {agent.rpartition(':')[2]} " in HAPROXY
    port = int(http.rpartition(":")[2])
    assert f"'127.0.0.1', {port}" in DOCKERFILE
    (job,) = [one for one in PROMETHEUS["scrape_configs"] if one["job_name"] == "server"]
    assert [one["port"] for one in job["dns_sd_configs"]] == [port]


def test_who_is_stopped_may_finish() -> None:
    """Docker waits for longer than a server drains, and that for longer than the balancer looks away."""
    delay, grace = (Settings.model_fields[name].default for name in ("drain_delay", "drain_grace"))
    assert int(SERVER["stop_grace_period"].removesuffix("s")) > delay + grace + 5  # ANSWER_SECONDS
    inter, falls = re.findall(r"check inter (\d+)s .* fall (\d+)", HAPROXY)[0]
    assert delay > int(inter) * int(falls)


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_services_have_limits_and_no_rights(name: str) -> None:
    """None can take the machine, write to its file system or gain rights; all come back by themselves."""
    service = COMPOSE["services"][name]
    assert {"cpus", "memory"} == service["deploy"]["resources"]["limits"].keys()
    assert service["restart"] == "unless-stopped"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert all(":ro" in one or one.split(":")[0] in COMPOSE["volumes"] for one in service["volumes"])


def test_ports_are_this_machine_s_alone() -> None:
    """Unless PUBLISH says otherwise, and that for calls alone."""
    published = {name: one.get("ports", []) for name, one in COMPOSE["services"].items()}
    assert published == {
        "server": [],
        "loadbalancer": ["${PUBLISH:-127.0.0.1}:${GRPC_PORT:-50051}:50051"],
        "prometheus": ["127.0.0.1:${PROMETHEUS_PORT:-9090}:9090"],
        "grafana": ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"],
    }


@pytest.mark.parametrize("gpus", [0, 1, 3])
def test_compose_reads_the_files(tmp_path: Path, gpus: int) -> None:
    """The file for one GPU, and those for more, fit on top of the other; that needs no daemon."""
    if shutil.which("docker") is None or subprocess.run(COMPOSE_VERSION, capture_output=True, check=False).returncode:
        pytest.skip("docker compose, which reads the files, is not installed")
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    over = tmp_path / "over.yml"
    over.write_text(compose_file(gpus) if gpus else (ROOT / "docker-compose.gpu.yml").read_text(encoding="utf-8"))
    command = ["docker", "compose", "-f", "docker-compose.yml", "-f", over.name, "config", "--format", "json"]
    read = json.loads(subprocess.run(command, cwd=tmp_path, check=True, capture_output=True).stdout)
    servers = [one for name, one in read["services"].items() if name.startswith("server")]
    assert len(servers) == max(1, gpus)
    for server in servers:
        assert len(server["deploy"]["resources"]["reservations"]["devices"]) == 1
        assert server["environment"].keys() == SERVER["environment"].keys() | {"SEQ2SERVE_DEVICE"}
        assert server["build"]["args"] == {"LOCK": "cuda", "TRACING": ""}
        assert server["read_only"] is True


def test_the_balancer_has_a_place_for_every_gpu() -> None:
    """What `python -m service compose` may write is what haproxy.cfg has."""
    assert re.findall(r"server-template replica (\d+) ", HAPROXY) == [str(MOST)]
