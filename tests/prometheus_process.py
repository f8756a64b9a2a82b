"""A real Prometheus with this repository's rules, for tests and pictures."""

import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.free_port import free_port
from tests.server_process import ROOT

RULES = ROOT / "deploy" / "prometheus" / "rules"
BINARY, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
MISSING = "{} is not installed (on Debian: apt-get install --no-install-recommends prometheus)"


class PrometheusProcess:
    """Scrape some targets, as the job `server`, and evaluate the rules."""

    def __init__(self, targets: Sequence[str], interval: str = "500ms") -> None:
        """Start it on a free port of 127.0.0.1, and wait until it is ready."""
        if BINARY is None:
            raise RuntimeError(MISSING.format("prometheus"))
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        listed = ", ".join(f'"{target}"' for target in targets)
        (folder / "prometheus.yml").write_text(
            f"global: {{scrape_interval: {interval}, scrape_timeout: {interval}, evaluation_interval: {interval}}}\n"
            f"rule_files: ['{RULES}/*.yml']\n"
            f"scrape_configs: [{{job_name: server, static_configs: [{{targets: [{listed}]}}]}}]\n"
        )
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        self.process = subprocess.Popen(
            [
                BINARY,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
                "--enable-feature=exemplar-storage",
                "--log.level=error",
            ],
            stdin=subprocess.DEVNULL,
        )
        end = time.monotonic() + 60
        while not self._ready():
            if time.monotonic() > end or self.process.poll() is not None:
                self.close()
                raise RuntimeError("prometheus did not start: its error stands above")
            time.sleep(0.1)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False

    def close(self) -> None:
        """Stop it, and delete what it stored."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self._folder.cleanup()

    def __enter__(self) -> Self:
        """Return the running process."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.close()
