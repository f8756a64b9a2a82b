"""A worker as the supervisor sees it: a process that is started, asked whether it is ready, and sent signals."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException

from service.errors import StartupError
from service.workers.membership import invitation
from service.workers.plan import Plan

PATIENCE_SECONDS = 1.0  # for the answer to a probe
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class WorkerProcess:
    """Hold a process that runs `python -m service`."""

    def __init__(self, process: asyncio.subprocess.Process, plan: Plan) -> None:
        self._process, self._plan = process, plan
        self.pid = process.pid

    @classmethod
    async def start(cls, plan: Plan, arguments: Sequence[str]) -> "WorkerProcess":
        """Start a worker with the supervisor's own arguments, standard streams, and the plan's flags."""
        command = [sys.executable, "-m", "service", *arguments, *plan.flags]
        return cls(await asyncio.create_subprocess_exec(*command, env=invitation(plan.number)), plan)

    async def wait(self) -> int:
        """Wait for its end; returns the exit status, or the signal that ended it as a negative number."""
        return await self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended.

        Not by `send_signal`, which looks first whether the process has ended and then keeps its status from `wait`.
        """
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def is_ready(self) -> bool:
        """Tell whether /readyz answers 200 and calls are accepted."""
        return await asyncio.to_thread(self._probe)

    def _probe(self) -> bool:
        http = HTTPConnection(*_reachable(self._plan.http_address), timeout=PATIENCE_SECONDS)
        try:
            http.request("GET", "/readyz")
            if http.getresponse().status != 200:
                return False
            socket.create_connection(_reachable(self._plan.grpc_address), PATIENCE_SECONDS).close()
        except (OSError, HTTPException):
            return False
        finally:
            http.close()
        return True


def check_free(plans: Sequence[Plan]) -> None:
    """Make sure that nobody has the ports: who has would answer in the place of a worker.

    Raises:
        StartupError: an address is in use, or cannot be bound.
    """
    for plan in plans:
        for flag, address in plan.addresses.items():
            host, _, port = address.rpartition(":")
            try:
                family, kind, protocol, _, where = socket.getaddrinfo(
                    host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
                )[0]
                with socket.socket(family, kind, protocol) as trial:
                    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    trial.bind(where)
            except OSError as error:
                raise StartupError(
                    f"{flag} {address} of worker {plan.number}: {error.strerror}; stop what uses it, or choose others"
                ) from error


def _reachable(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    return EVERYWHERE.get(host, host), int(port)
