"""Many texts that succeed or fail together."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from service.call import Call
from service.errors import FieldViolation, ServiceError
from service.kserve.tensors import TEXT_INPUT
from service.room import Room
from service.translator import Message, Reply, Translator


class Texts:
    """Translate the texts of one call, as many at a time as there is room for."""

    def __init__(self, translator: Translator) -> None:
        places = translator.limits.places
        self._translator, self._room, self._unanswered = translator, Room(places), asyncio.Semaphore(places)

    async def translate(self, messages: Sequence[Message], call: Call) -> list[Reply]:
        """Translate all, in their order.

        Raises:
            ServiceError: one was refused, or failed, and the others are given up; names its place.
        """

        async def run(index: int) -> Reply:
            own = call
            if len(messages) > 1:
                request_id = f"{call.request_id}-{index}"
                own = replace(call, request_id=request_id, started_at=time.monotonic(), stages={})
            try:
                return await self._translator.translate(messages[index], own, room=self._room)
            except ServiceError as error:
                _place(error, index)
                raise

        try:
            async with asyncio.TaskGroup() as group:
                tasks = []
                for index in range(len(messages)):
                    await self._unanswered.acquire()
                    tasks.append(group.create_task(run(index)))
                    tasks[-1].add_done_callback(lambda _: self._unanswered.release())
                    await asyncio.sleep(0)  # other calls are read in between
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return [task.result() for task in tasks]


def _place(error: ServiceError, index: int) -> None:
    """Name the fields at fault as this protocol does."""
    if error.violations:
        found = [FieldViolation(_field(one.field, index), one.description) for one in error.violations]
        error.violations = tuple(found)
        error.message = "; ".join(f"{one.field}: {one.description}" for one in found)


def _field(name: str, index: int) -> str:
    part, _, rest = name.partition(".")
    return f"parameters.{rest}" if part in ("options", "input") else f"{TEXT_INPUT}[{index}]"
