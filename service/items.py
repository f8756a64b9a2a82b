"""Many texts in one call: each has its own status, and none waits for the others."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace

from seq2serve.v1 import translation_pb2
from service.call import Call, check_request_id
from service.errors import Draining, InternalError, InvalidRequest, ServiceError
from service.status import CODES
from service.translator import Translator

log = logging.getLogger("service.items")
AT_A_TIME = 128  # items of one call that are translated at a time; more are not read
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
        call.request_id = check_request_id(message.request_id)
    count, most = len(message.items), translator.limits.max_batch_items
    if not 1 <= count <= most:
        raise InvalidRequest.field("items", f"has {count}, must be from 1 to {most}")
    for name in ("text", "tokens", "request_id"):
        given = message.defaults.request_id if name == "request_id" else message.defaults.HasField(name)
        if given:
            raise InvalidRequest.field(f"defaults.{name}", "belongs to the items")
    room = asyncio.Semaphore(AT_A_TIME)

    async def run(index: int) -> Result:
        item = message.items[index]
        if message.HasField("defaults"):
            item = Item()
            item.MergeFrom(message.defaults)
            item.MergeFrom(message.items[index])
        async with room:
            return await translate_item(translator, item, index, call)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(index)) for index in range(count)]
    return translation_pb2.TranslateBatchResponse(request_id=call.request_id, results=[task.result() for task in tasks])


async def translate_bulk(
    translator: Translator, messages: AsyncIterator[Item], call: Call, draining: asyncio.Event
) -> AsyncGenerator[Result]:
    """Translate a stream of items; results come as they are done.

    An item is read when there is room for it, so that HTTP/2 slows the sender down. A draining server reads no more
    items, and answers those that it has read.

    Raises:
        Draining: the server is shutting down.
        MalformedRequest: a message does not parse.
    """
    room = asyncio.Semaphore(AT_A_TIME)
    results: asyncio.Queue[Result | None] = asyncio.Queue()
    running: set[asyncio.Task[None]] = set()

    async def run(index: int, item: Item) -> None:
        results.put_nowait(await translate_item(translator, item, index, call))

    async def read() -> None:
        index = 0
        async for item in messages:
            task = asyncio.create_task(run(index, item))
            running.add(task)
            task.add_done_callback(running.discard)
            index += 1
            await room.acquire()

    async def read_until_drained() -> None:
        reading, stopping = asyncio.create_task(read()), asyncio.create_task(draining.wait())
        try:
            await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
            drained = not reading.done()
        finally:
            reading.cancel()
            stopping.cancel()
        try:
            await reading
        except asyncio.CancelledError:
            if not drained:
                raise
        if running:
            await asyncio.wait(running)
        if drained:
            raise Draining("the server is shutting down: send what was not answered to another replica")

    reader = asyncio.create_task(read_until_drained())
    reader.add_done_callback(lambda _: results.put_nowait(None))
    try:
        while (result := await results.get()) is not None:
            yield result
            room.release()
        await reader
    finally:
        for task in (reader, *running):
            task.cancel()
        await asyncio.gather(reader, *running, return_exceptions=True)


async def translate_item(translator: Translator, item: Item, index: int, call: Call) -> Result:
    """Translate one item; what goes wrong with it becomes its status."""
    own = replace(call, request_id=f"{call.request_id}-{index}", started_at=time.monotonic(), stages={})
    result = Result(index=index)
    try:
        result.response.CopyFrom(await translator.translate(item, own))
        result.status.SetInParent()
    except Exception as error:
        if not isinstance(error, ServiceError):
            log.exception("item %d of call %s failed", index, call.request_id)
            error = InternalError("the server failed on this item; its log has the cause")
        result.status.CopyFrom(_status(error))
        translator.metrics.item_rejected(error.reason)
    result.request_id = own.request_id
    return result


def _status(error: ServiceError) -> translation_pb2.ItemStatus:
    return translation_pb2.ItemStatus(
        code=CODES[error.reason].value[0],
        reason=error.reason,
        message=error.message,
        field_violations=[
            translation_pb2.FieldViolation(field=violation.field, description=violation.description)
            for violation in error.violations
        ],
    )
