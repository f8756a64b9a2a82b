"""Many texts that succeed or fail together."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from service.call import Call
from service.errors import FieldViolation, ServiceError
from service.kserve.tensors import TEXT_INPUT
from service.model import Model
from service.room import Room
from service.translation import Message, Translation
from service.translator import Reply, Translator


class Texts:
    """Translate the texts of one call, as many at a time as there is room for."""

    def __init__(self, translator: Translator) -> None:
        places = translator.limits.places
        self._translator, self._room = translator, Room(places)
        self._turn = asyncio.Lock()  # for one request of a stream after the other
        self._unanswered = asyncio.Semaphore(places)

    async def translate(self, model: Model, messages: Sequence[Message], call: Call) -> list[Reply]:
        """Translate all by one model, in their order; nothing begins before all are accepted.

        Raises:
            ServiceError: one was refused, or failed, and the others are given up; names its place.
        """
        accepted: list[tuple[Translation, Call]] = []
        try:
            async with asyncio.TaskGroup() as group, self._turn:  # which ends once all are under way
                await self._accept(model, messages, call, accepted)
                tasks = []
                for translation, own in accepted:
                    await self._unanswered.acquire()
                    tasks.append(group.create_task(self._translator.finish(translation, own, self._room)))
                    tasks[-1].add_done_callback(lambda _: self._unanswered.release())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        finally:
            for translation, _ in accepted:  # also those that never began
                self._translator.let_go(translation)
        return [task.result() for task in tasks]

    async def _accept(
        self, model: Model, messages: Sequence[Message], call: Call, accepted: list[tuple[Translation, Call]]
    ) -> None:
        """Accept each text, with a call of its own where there are several, and take the client's share for all."""
        self._translator.shares.take(call.client, 0)  # who has nothing left is refused before anything is read
        for index, message in enumerate(messages):
            own = call
            if len(messages) > 1:
                request_id = f"{call.request_id}-{index}"
                own = replace(call, request_id=request_id, started_at=time.monotonic(), stages={})
            try:
                accepted.append((await self._translator.accept(message, own, model=model), own))
            except ServiceError as error:
                _place(error, index)
                raise
            await asyncio.sleep(0)  # other calls are read in between
        self._translator.shares.take(call.client, sum(translation.source_tokens for translation, _ in accepted))


def _place(error: ServiceError, index: int) -> None:
    """Name the fields at fault as this protocol does."""
    if error.violations:
        found = [FieldViolation(_field(one.field, index), one.description) for one in error.violations]
        error.violations = tuple(found)
        error.message = "; ".join(f"{one.field}: {one.description}" for one in found)


def _field(name: str, index: int) -> str:
    part, _, rest = name.partition(".")
    return f"parameters.{rest}" if part in ("options", "input") else f"{TEXT_INPUT}[{index}]"
