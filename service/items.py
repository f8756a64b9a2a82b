"""Many texts in one call: each has its own status, and none waits for the others."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace

from seq2serve.v1 import translation_pb2
from service.call import Call, check_key
from service.draining import read_until_drained
from service.errors import InternalError, InvalidRequest, ServiceError
from service.logs import trail
from service.replies import duration
from service.room import Room
from service.status import CODES
from service.translator import Translator

log = logging.getLogger("service.items")
BULK_PRIORITY = -1  # nobody looks at a screen and waits for it
MAX_REPLY = 64 << 20  # bytes of a batch's results
Item = translation_pb2.TranslateRequest
Result = translation_pb2.TranslateResult


async def translate_batch(
    translator: Translator, message: translation_pb2.TranslateBatchRequest, call: Call
) -> translation_pb2.TranslateBatchResponse:
    """Translate all items of a batch; results are in their order.

    Raises:
        InvalidRequest: there is no item or there are too many, or the defaults hold what belongs to an item.
    """
    if message.request_id:
        call.request_id = check_key(message.request_id)
    _check_batch(message, translator)
    items = Items(translator, call)
    left = MAX_REPLY

    async def run(index: int) -> Result:
        nonlocal left
        item = message.items[index]
        if message.HasField("defaults"):
            item = Item()
            item.MergeFrom(message.defaults)
            item.MergeFrom(message.items[index])
        result = await items.translate(item, index)
        left -= result.ByteSize()
        if left < 0:
            why = f"has results of more than {MAX_REPLY} bytes: send fewer, or a TranslateBulk"
            return items.refusal(index, result.request_id, InvalidRequest.field("items", why))
        return result

    async with asyncio.TaskGroup() as group:
        tasks = []
        for index in range(len(message.items)):
            await items.admit()
            tasks.append(group.create_task(run(index)))
            tasks[-1].add_done_callback(lambda _: items.answered())
            await asyncio.sleep(0)  # other calls are read in between
    return translation_pb2.TranslateBatchResponse(request_id=call.request_id, results=[task.result() for task in tasks])


def _check_batch(message: translation_pb2.TranslateBatchRequest, translator: Translator) -> None:
    count, most = len(message.items), translator.limits.max_batch_items
    if not 1 <= count <= most:
        raise InvalidRequest.field("items", f"has {count}, must be from 1 to {most}")
    defaults = message.defaults
    for name in ("text", "tokens", "request_id"):
        given = defaults.request_id if name == "request_id" else defaults.HasField(name)
        if given:
            raise InvalidRequest.field(f"defaults.{name}", "belongs to the items")
    size, limit = defaults.ByteSize(), translator.limits.max_text_bytes
    if size > limit:  # every item gets a copy
        raise InvalidRequest.field("defaults", f"has {size} bytes, the limit is {limit}")


async def translate_bulk(
    translator: Translator, messages: AsyncIterator[Item], call: Call, draining: asyncio.Event
) -> AsyncGenerator[Result]:
    """Translate a stream of items; results come as they are done.

    An item is read when there is room for it, so that HTTP/2 slows the sender down. What was read is answered, even
    where the call then fails, unless gRPC itself ends it, as for a message above its limit.

    Raises:
        Draining: the server is shutting down, and reads no more items.
        MalformedRequest: a message does not parse.
    """
    call.priority = BULK_PRIORITY
    items = Items(translator, call)
    results: asyncio.Queue[Result | None] = asyncio.Queue()
    running: set[asyncio.Task[None]] = set()

    async def run(index: int, item: Item) -> None:
        results.put_nowait(await items.translate(item, index))

    async def read() -> None:
        index = 0
        async for item in messages:
            task = asyncio.create_task(run(index, item))
            running.add(task)
            task.add_done_callback(running.discard)
            index += 1
            await items.admit()

    async def read_and_answer() -> None:
        try:
            await read_until_drained(read, draining)
        finally:
            if running:
                await asyncio.wait(running)

    reader = asyncio.create_task(read_and_answer())
    reader.add_done_callback(lambda _: results.put_nowait(None))
    try:
        while (result := await results.get()) is not None:
            yield result
            items.answered()
        await reader
    finally:
        for task in (reader, *running):
            task.cancel()
        await asyncio.gather(reader, *running, return_exceptions=True)


class Items:
    """Hold what the items of one call share."""

    def __init__(self, translator: Translator, call: Call) -> None:
        self._translator, self._call = translator, call
        self._room = Room(translator.limits.places)
        self._unanswered = asyncio.Semaphore(translator.limits.places)

    async def admit(self) -> None:
        """Wait until another item may be taken on."""
        await self._unanswered.acquire()

    def answered(self) -> None:
        """Make place for another item."""
        self._unanswered.release()

    async def translate(self, item: Item, index: int) -> Result:
        """Translate one item; what goes wrong with it becomes its status."""
        call, translator = self._call, self._translator
        own = replace(call, request_id=f"{call.request_id}-{index}", started_at=time.monotonic(), stages={})
        try:
            response = await translator.translate(item, own, room=self._room)
        except Exception as error:
            if not isinstance(error, ServiceError):
                log.error("item %d of call %s failed: %s", index, call.request_id, trail(error))
                error = InternalError("the server failed on this item; its log has the cause")
            return self.refusal(index, own.request_id, error)
        finally:
            call.model = own.model  # the access log has that of the last item
        status = translation_pb2.ItemStatus()
        return Result(index=index, request_id=own.request_id, response=response, status=status)

    def refusal(self, index: int, request_id: str, error: ServiceError) -> Result:
        """Make an error the result of an item."""
        self._translator.metrics.item_rejected(error.reason)
        return Result(index=index, request_id=request_id, status=_status(error))


def _status(error: ServiceError) -> translation_pb2.ItemStatus:
    return translation_pb2.ItemStatus(
        retry_after=None if error.retry_after is None else duration(error.retry_after),
        code=CODES[error.reason].value[0],
        reason=error.reason,
        message=error.message,
        field_violations=[
            translation_pb2.FieldViolation(field=violation.field, description=violation.description)
            for violation in error.violations
        ],
    )
