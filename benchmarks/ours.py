"""Our own server, measured as the peers are."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.peer import Endpoint
from benchmarks.peers.server import METHOD, SERVICE, TranslatePeer
from tests.server_process import ROOT, ServerProcess, serving
from tests.workers_process import WorkersProcess

REPOSITORY = ROOT / "model_repository"


@dataclass(frozen=True)
class Ours(TranslatePeer):
    """Run `python -m service` with its defaults, but for what `options` say."""

    name: str
    repository: Path = REPOSITORY
    version: str = "en-de/1"  # of a model, as others run one, too
    options: tuple[str, ...] = ()
    root: Path = ROOT  # of the checkout whose code runs

    @property
    def _flags(self) -> tuple[str, ...]:
        return (*serving(self.repository.resolve(), self.version), *self.options)

    def missing(self) -> str:
        """Say that it runs wherever the benchmark does."""
        return ""

    @contextmanager
    def serve(self) -> Iterator[Endpoint]:
        """Start the server, wait until it is ready, and stop it at the end.

        Raises:
            RuntimeError: it did not start; says why.
        """
        with ServerProcess(*self._flags, root=self.root) as server:
            yield Endpoint(server.address, f"/{SERVICE}/{METHOD}", server.process.pid)


@dataclass(frozen=True)
class OurWorkers(Ours):
    """Run several servers as one program, among which clients divide their calls."""

    workers: int = 2

    @contextmanager
    def serve(self) -> Iterator[Endpoint]:
        """Start the workers, wait until all are ready, and stop them at the end.

        Raises:
            RuntimeError: they did not start; says why.
        """
        with WorkersProcess(self.workers, *self._flags) as servers:
            address = f"ipv4:{','.join(servers.addresses)}"
            yield Endpoint(address, f"/{SERVICE}/{METHOD}", servers.process.pid)
