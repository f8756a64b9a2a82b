"""The access log: one line for each call that has ended, and those of a moment are written together."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog
from structlog.typing import FilteringBoundLogger

if TYPE_CHECKING:
    from service.call import Call

access: FilteringBoundLogger = structlog.get_logger()
KSERVE = "/inference.GRPCInferenceService"
LOGGED = ("/seq2serve.", f"{KSERVE}/ModelInfer", f"{KSERVE}/ModelStreamInfer")  # calls that do work
PATIENCE, TOGETHER = 0.1, 32  # seconds that a line waits at most, and lines for which none waits


class AccessLog:
    """Keep what is to be said of calls for a moment.

    What a line takes has left the processor's caches after a step of a model: one behind the other, lines cost less.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the event loop of the calls."""
        self._loop = loop
        self._together = TOGETHER
        self._timer: asyncio.TimerHandle | None = None
        self._ended: list[tuple[int, datetime, Call, str, float]] = []

    def note(self, call: "Call", code: str, seconds: float) -> None:
        """Log a call that has ended with a status code after as many seconds."""
        # Probes and reflection come every second and say nothing: they are there for who looks closer.
        level = logging.INFO if call.method.startswith(LOGGED) else logging.DEBUG
        if not access.is_enabled_for(level):
            return
        self._ended.append((level, datetime.now(UTC), call, code, seconds))
        if len(self._ended) >= self._together:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(PATIENCE, self.flush)

    def close(self) -> None:
        """Write what was kept, and from now on each line at once: the loop is about to end."""
        self._together = 1
        self.flush()

    def flush(self) -> None:
        """Write what was kept."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        ended, self._ended = self._ended, []
        for level, at, call, code, seconds in ended:
            stages = {f"{stage}_ms": round(1000 * value, 2) for stage, value in call.stages.items()}
            facts = (("client", call.client), ("model", call.model), ("reason", call.reason), ("trace", call.trace_id))
            optional = {key: value for key, value in facts if value}
            access.log(
                level,
                "call",
                timestamp=at.isoformat().replace("+00:00", "Z"),
                logger="service.access",
                id=call.request_id,
                method=call.method,
                peer=call.peer,
                code=code,
                total_ms=round(1000 * seconds, 2),
                **optional,
                **stages,
            )
