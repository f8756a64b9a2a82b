"""Requests that a candidate translates as well, to see whether it says the same; nobody waits for it."""

import asyncio
import logging
import random
import time
from collections.abc import Callable

from service.cache import Cache
from service.delivery import Delivery
from service.errors import DeadlineUnmeetable, QueueFull
from service.limits import EdgeLimits
from service.logs import trail
from service.model import Model
from service.registry import Registry
from service.translation import Message, Translation, is_heavy

log = logging.getLogger("service.mirror")
AT_A_TIME = 64  # more are left out, so that a slow candidate takes no memory
PATIENCE = 30.0  # seconds, like that of requests without a deadline
PRIORITY = -10  # below all that somebody waits for
Count = Callable[[str, int, str], None]


class Mirror:
    """Translate a share of what was answered once more, with the candidate that the registry names."""

    def __init__(
        self,
        registry: Registry,
        delivery: Delivery | Cache,
        limits: EdgeLimits,
        count: Count,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Take what counts (a model's name, the candidate's version, an outcome) and draws from 0 to 1.

        Outcomes: `same`, `different`, `failed`, and `skipped`, where there was no room for it.
        """
        self._registry, self._delivery, self._limits = registry, delivery, limits
        self._count, self._draw = count, draw
        self._tasks: set[asyncio.Task[None]] = set()

    def offer(self, translation: Translation, text: str) -> None:
        """Take a translation that was answered with a text, and mirror it if its model has a candidate."""
        shadow = self._registry.shadows.get(translation.model.name)
        if shadow is None or shadow.version == translation.model.version or not translation.is_repeatable:
            return
        if self._draw() >= shadow.share:
            return
        candidate = self._registry.loaded((translation.model.name, shadow.version))
        if len(self._tasks) >= AT_A_TIME:
            self._count(candidate.name, candidate.version, "skipped")
            return
        candidate.readers += 1  # so that it stays until that has ended
        task = asyncio.create_task(self._compare(candidate, translation.message, text))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _compare(self, candidate: Model, message: Message, text: str) -> None:
        try:
            outcome = "same" if await self._translate(candidate, message) == text else "different"
        except (QueueFull, DeadlineUnmeetable):
            outcome = "skipped"
        except Exception as error:
            outcome = "failed"
            log.warning(
                "version %d of %s failed on a mirrored request: %s", candidate.version, candidate.name, trail(error)
            )
        finally:
            candidate.readers -= 1
        self._count(candidate.name, candidate.version, outcome)

    async def _translate(self, candidate: Model, message: Message) -> str:
        def read() -> Translation:
            return Translation(message, candidate, self._limits)

        translation = await asyncio.to_thread(read) if is_heavy(message) else read()
        for request in translation.requests:
            request.priority, request.deadline = PRIORITY, time.monotonic() + PATIENCE
        await translation.complete(self._delivery)
        return translation.text
