"""Real workers with their supervisor, for integration tests."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.eventually import eventually
from tests.free_port import free_ports
from tests.server_process import ROOT, bundled


class WorkersProcess:
    """Start `python -m service --workers N` on ports of 127.0.0.1, and stop it by its pid."""

    def __init__(self, workers: int, *arguments: str) -> None:
        """Start the supervisor, and wait until all workers are ready.

        Raises:
            RuntimeError: they did not become ready; says why.
        """
        ports = free_ports(2 * workers)
        grpc, http = ports[:workers], ports[workers:]
        self.addresses = [f"127.0.0.1:{port}" for port in grpc]
        self.https = [f"http://127.0.0.1:{port}" for port in http]
        self._folder = tempfile.TemporaryDirectory()
        self._stdout, self._stderr = (Path(self._folder.name) / name for name in ("stdout", "stderr"))
        with self._stdout.open("w") as stdout, self._stderr.open("w") as stderr:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "service", "--workers", str(workers)),
                    *("--grpc-address", self.addresses[0], "--http-address", f"127.0.0.1:{http[0]}"),
                    *([] if "--model-repository" in arguments else bundled()),
                    *("--drain-delay", "0", *arguments),
                ],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT / "client")},
                stdout=stdout,
                stderr=stderr,
                stdin=subprocess.DEVNULL,
            )
        ready = f"{workers} workers are ready"
        if not eventually(lambda: ready in self.said() or self.process.poll() is not None, 60) or self.process.poll():
            why = self._stderr.read_text()
            self.__exit__(None, None, None)
            raise RuntimeError(f"the workers did not start: {why}")

    def said(self) -> str:
        """Return what is on standard output so far."""
        return self._stdout.read_text()

    def log(self) -> list[dict[str, Any]]:
        """Return what all have logged so far, in JSON."""
        return [json.loads(line) for line in self._stderr.read_text().splitlines() if line.endswith("}")]

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 60) -> int:
        """Send a signal to the supervisor and wait; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout)

    def __enter__(self) -> Self:
        """Return the running workers."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the supervisor, and by that all workers."""
        if self.process.poll() is None:
            self.stop(signal.SIGTERM if kind is None else signal.SIGKILL)
        self._folder.cleanup()
