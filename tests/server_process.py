"""A real server in a process of its own, for integration tests and benchmarks."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parent.parent
READY = re.compile(r"is ready on (\S+) after ([\d.]+) s: .* \(metrics on (http://\S+)/metrics\)")


def serving(repository: Path, version: str) -> tuple[str, ...]:
    """Return the flags to serve one NAME/VERSION of a repository, and no other.

    Where there is no other, `--serve-versions` is left out: servers of earlier checkouts do not know it.
    """
    found = {f"{folder.parent.name}/{folder.name}" for folder in repository.glob("*/*") if folder.name.isdecimal()}
    return ("--model-repository", str(repository), *(() if found == {version} else ("--serve-versions", version)))


def bundled(root: Path = ROOT) -> tuple[str, ...]:
    """Return the flags to serve one of a checkout's models: each takes a moment to load, and most tests need one."""
    return serving(root / "model_repository", "en-de/1")


def _path(first: str) -> str:
    return os.pathsep.join([first, *filter(None, [os.environ.get("PYTHONPATH")])])


class ServerProcess:
    """Start `python -m service` on free ports of 127.0.0.1, and stop it by its pid."""

    def __init__(
        self,
        *arguments: str,
        environment: dict[str, str] | None = None,
        root: Path = ROOT,
        module: str = "service",
        prefix: Sequence[str] = (),
    ) -> None:
        """Start the server of the checkout at `root`, and wait until it is ready.

        `module` is run instead of `service`; `prefix` is a command that runs the server's, such as `setpriv`.

        Raises:
            RuntimeError: it did not start; says why.
        """
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115, closed on exit
        self.process = subprocess.Popen(
            [
                *(
                    *prefix,
                    sys.executable,
                    "-m",
                    module,
                    "--grpc-address",
                    "127.0.0.1:0",
                    "--http-address",
                    "127.0.0.1:0",
                ),
                *([] if "--model-repository" in arguments else bundled(root)),
                *("--drain-delay", "0", *arguments),
            ],
            cwd=root,
            # What this process imports from elsewhere, such as another ONNX Runtime, so does the server.
            env={**os.environ, "PYTHONPATH": _path(str(root / "client")), **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.ready_line = self.process.stdout.readline()
        found = READY.search(self.ready_line)
        if not found:
            self.process.wait(30)
            why = self.log()
            self._close()
            raise RuntimeError(f"the server did not start: {why}")
        self.hint_line = self.process.stdout.readline()
        self.address, self.start_seconds, self.http = found[1], float(found[2]), found[3]

    def log(self) -> str:
        """Return what the server has logged so far."""
        file = self._stderr.fileno()  # whose offset is the server's, too: it must stay where the server writes
        return os.pread(file, os.fstat(file).st_size, 0).decode("utf-8", "replace")

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 60) -> int:
        """Send a signal and wait; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout)

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        if self.process.poll() is None:
            self.stop(signal.SIGTERM if kind is None else signal.SIGKILL)
        self._close()

    def _close(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._stderr.close()
