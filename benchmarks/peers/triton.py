"""NVIDIA's Triton Inference Server, from the wheel nvidia-pytriton, with its dynamic batcher.

python -m benchmarks.peers.triton --install     (once; half a gigabyte, into runs/triton-venv)
"""

import argparse
import json
import os
import shutil
import socket
import string
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.peers import infer
from benchmarks.peers.peer import Endpoint
from benchmarks.peers.triton_environment import ENVIRONMENT, PYTHON, find, install

ROOT = Path(__file__).parents[2]
TEMPLATE = Path(__file__).parent / "triton_model"
MODEL = "translate"
READY_SECONDS = 60


@dataclass(frozen=True)
class TritonEndpoint(Endpoint):
    """Also say where the server gives its statistics."""

    http: str  # URL of the model

    def mean_batch(self) -> float:
        """Return the texts per call of the model so far; Triton counts a batch as one execution."""
        with urllib.request.urlopen(f"{self.http}/stats", timeout=10) as reply:
            (statistics,) = json.load(reply)["model_stats"]
        return float(statistics["inference_count"] / statistics["execution_count"])


@dataclass(frozen=True)
class Triton:
    """Run tritonserver with the decode loop in its Python backend."""

    bundle: Path
    threads: int
    spinning: bool = False
    instances: int = 1  # of the model, each a process with threads of its own
    drop: bool = False  # finished rows leave their batch, instead of being computed until its end
    environment: Path = ENVIRONMENT
    name: str = "Triton, Python backend running ONNX Runtime"

    def missing(self) -> str:
        """Say that it is not installed, and how to install it; empty: it can run."""
        if find(self.environment):
            return ""
        return f"there is no Triton in {self.environment.name}: python -m benchmarks.peers.triton --install"

    @contextmanager
    def serve(self) -> Iterator[TritonEndpoint]:
        """Start tritonserver on free ports of 127.0.0.1, wait for the model, and stop it at the end.

        Raises:
            RuntimeError: it is not installed, or the model did not load; says why.
        """
        home = find(self.environment)
        if home is None:
            raise RuntimeError(self.missing())
        with tempfile.TemporaryDirectory(prefix="triton-") as folder, tempfile.TemporaryFile("w+") as log:
            self._write_repository(Path(folder))
            grpc_port, http_port = _free_ports(2)
            command = [str(home / "bin" / "tritonserver"), f"--model-repository={folder}"]
            command += [f"--backend-directory={home / 'backends'}", "--allow-metrics=false"]
            command += ["--grpc-address=127.0.0.1", f"--grpc-port={grpc_port}"]
            command += ["--http-address=127.0.0.1", f"--http-port={http_port}"]
            surroundings = {
                **os.environ,
                "PATH": f"{self.environment / 'bin'}:{os.environ['PATH']}",  # where the backend finds its Python
                "PYTHONPATH": str(ROOT),
                "ORT_DISABLE_TELEMETRY": "1",
            }
            with subprocess.Popen(
                command, env=surroundings, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            ) as process:
                try:
                    http = f"http://127.0.0.1:{http_port}/v2/models/{MODEL}"
                    _wait(process, http, log)
                    yield TritonEndpoint(f"127.0.0.1:{grpc_port}", infer.METHOD, process.pid, http)
                finally:
                    process.terminate()

    def _write_repository(self, folder: Path) -> None:
        """Write Triton's own kind of model repository."""
        version_folder = folder / MODEL / "1"
        version_folder.mkdir(parents=True)
        shutil.copy(TEMPLATE / "model.py", version_folder)
        config = string.Template((TEMPLATE / "config.pbtxt").read_text(encoding="utf-8")).substitute(
            name=MODEL,
            bundle=json.dumps(str(self.bundle.resolve()), ensure_ascii=False),
            instances=self.instances,
            threads=self.threads,
            spinning=int(self.spinning),
            drop=int(self.drop),
        )
        (folder / MODEL / "config.pbtxt").write_text(config, encoding="utf-8")

    def payload(self, text: str) -> bytes:
        """Return a serialized ModelInferRequest."""
        return infer.request(MODEL, text)

    def text(self, reply: bytes) -> str:
        """Return the translation of a serialized ModelInferResponse."""
        return infer.read_text(infer.outputs(reply)["text"])

    def target_tokens(self, reply: bytes) -> int:
        """Return the pieces of a serialized ModelInferResponse's translation."""
        return infer.read_number(infer.outputs(reply)["target_tokens"])


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait(process: "subprocess.Popen[bytes]", http: str, log: IO[str]) -> None:
    """Wait until the model is ready; the server says so of itself before.

    Raises:
        RuntimeError: the server has ended, or takes too long.
    """
    end = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{http}/ready", timeout=10):
                return
        except OSError:
            time.sleep(0.1)
    log.seek(0)
    raise RuntimeError(f"Triton did not start: {log.read()}")


def main() -> None:
    """Install Triton where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--install", action="store_true", required=True, help="install it anew")
    parser.add_argument("--python", default=PYTHON, help=f"whose virtual environment it is, default {PYTHON}")
    install(ENVIRONMENT, parser.parse_args().python)


if __name__ == "__main__":
    main()
