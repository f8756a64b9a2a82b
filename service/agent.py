"""How much of the calls this server wants, by the time of its own steps: the answer to HAProxy's agent check."""

import asyncio
from collections.abc import Callable, Iterable

from service.errors import StartupError
from service.state import EngineState


class Agent:
    """Answer every connection with a weight, such as `40%`, and close it.

    The weight is whole while a decoder step takes at most `full_seconds`, so that replicas that are well share calls
    alike, and falls as steps take longer: at twice that it is half. It says what was true while the engine last had
    work: a server that nobody calls learns nothing new of its speed.
    """

    def __init__(self, full_seconds: float, states: Callable[[], Iterable[EngineState]]) -> None:
        """Take the longest step of a server that is well, and what lists the states of all engines."""
        self._full_seconds, self._states = full_seconds, states
        self._server: asyncio.Server | None = None
        self._weight = 100

    async def start(self, address: str) -> str:
        """Listen on HOST:PORT; returns it with the port that it is.

        Raises:
            StartupError: the address cannot be used.
        """
        host, _, port = address.rpartition(":")
        try:
            self._server = await asyncio.start_server(self._answer, host.strip("[]"), int(port))
        except OSError as error:
            raise StartupError(f"--agent-address {address}: {error.strerror}; choose a free one") from error
        return f"{host}:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def weight(self) -> int:
        """Return the share of its calls that this server wants, in percent from 1 to 100."""
        steps = [state.recent_step_seconds for state in self._states() if state.running]
        if steps:
            self._weight = max(1, min(100, round(100 * self._full_seconds / max(steps))))
        return self._weight

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{self.weight()}%\n".encode())
        writer.close()
