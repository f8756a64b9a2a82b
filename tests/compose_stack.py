"""docker-compose.yml, really started as a project of its own, for tests from outside and benchmarks."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.metrics import scrape
from tests.eventually import eventually
from tests.server_process import ROOT

PORTS = ("GRPC_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")
BASE = "python:3.11-slim-bookworm"  # of the server's image
IMAGES = {
    "loadbalancer": "haproxy:3.0",
    "prometheus": "prom/prometheus:v2.53.3",
    "grafana": "grafana/grafana:11.2.0",
}
PULL_SECONDS = 120
UP_SECONDS = 120


def missing(services: Sequence[str] = tuple(IMAGES)) -> str:
    """Say why the stack cannot be started here; an empty text: it can."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    for command, what in ((["info"], "no Docker daemon answers"), (["compose", "version"], "docker has no compose")):
        if subprocess.run(["docker", *command], capture_output=True, check=False).returncode:
            return what
    for image in (BASE, *(IMAGES[name] for name in services)):
        if not _has(image):
            return f"the image {image} is not here and cannot be pulled"
    return ""


def index_answers() -> bool:
    """Tell whether a container finds packages, as the build of the server's image does."""
    command = ["docker", "run", "--rm", BASE, "python", "-m", "pip", "download", "--no-deps", "--dest", "/tmp", "pip"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _has(image: str) -> bool:
    if subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0:
        return True
    try:
        pulled = subprocess.run(["docker", "pull", image], capture_output=True, check=False, timeout=PULL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return pulled.returncode == 0


class ComposeStack:
    """Run some services of docker-compose.yml under another name and on free ports, and take them away again."""

    def __init__(self, project: str, services: Sequence[str] = tuple(IMAGES), **variables: str) -> None:
        """Build the server's image; `variables` are those of docker-compose.yml.

        Raises:
            RuntimeError: that did not work; says why.
        """
        self.services = ("server", *services)
        self.image = f"{project}-server"
        self.ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        self.environment = {
            **os.environ,
            **{name: str(port) for name, port in self.ports.items()},
            **variables,
            "COMPOSE_PROJECT_NAME": project,
            "SERVER_IMAGE": self.image,
        }
        self.address = f"127.0.0.1:{self.ports['GRPC_PORT']}"
        self.build()

    def build(self, *arguments: str) -> None:
        """Build the server's image, again."""
        self.docker("build", "--quiet", "--file", "deploy/Dockerfile", "--tag", self.image, *arguments, ".")

    def docker(self, *arguments: str) -> str:
        """Run docker in the project's folder; returns what it prints.

        Raises:
            RuntimeError: it failed; says why.
        """
        return self.run("docker", *arguments)

    def run(self, *command: str) -> str:
        """Run any command as if in a shell that has this stack's variables; returns what it prints."""
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
        return done.stdout.strip()

    def scale(self, servers: int, *arguments: str) -> None:
        """Have so many replicas, and all other services, and wait until the balancer sends calls to all of them."""
        wait = ("--wait", "--wait-timeout", str(UP_SECONDS), "--scale", f"server={servers}")
        self.docker("compose", "up", "--detach", *wait, *arguments, *self.services)
        if not eventually(lambda: self.balanced() == servers, UP_SECONDS):
            raise RuntimeError(f"the balancer has {self.balanced()} replicas and not {servers}")

    def balanced(self) -> int:
        """Count the replicas that the balancer sends calls to."""
        up = "haproxy_backend_active_servers{servers}"
        return int(scrape(f"http://{self.ip(self.ids('loadbalancer')[0])}:8405").get(up, 0))

    def ids(self, service: str = "server") -> list[str]:
        """List the containers of a service that run, in the order of their numbers."""
        return self.docker("compose", "ps", "--quiet", service).split()

    def inspect(self, container: str) -> dict[str, Any]:
        """Return what Docker knows of a container."""
        (known,) = json.loads(self.docker("inspect", container))
        return dict(known)

    def ip(self, container: str) -> str:
        """Return a container's address in the network of the stack, which the host reaches on Linux."""
        (network,) = self.inspect(container)["NetworkSettings"]["Networks"].values()
        return str(network["IPAddress"])

    def metrics(self, replica: str) -> dict[str, float]:
        """Return a replica's metrics, as `scrape` does."""
        return scrape(f"http://{self.ip(replica)}:8080")

    def get(self, port: str, path: str, **parameters: str) -> Any:
        """Return the JSON of a published port, such as `PROMETHEUS_PORT`."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[port]}{path}{query}", timeout=60) as reply:
            return json.load(reply)

    def __enter__(self) -> Self:
        """Return the stack, of which nothing runs before `scale`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep the logs of what failed, and take everything down, volumes too."""
        if kind is not None:
            log = Path(tempfile.gettempdir()) / f"{self.environment['COMPOSE_PROJECT_NAME']}.log"
            log.write_text(self.docker("compose", "logs", "--no-color"))
            print(f"the logs of all containers are in {log}")
        self.docker("compose", "down", "--volumes", "--timeout", "2")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
