"""A stream of ModelInfer requests: worked on at the same time, answered in their order."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace

from service.call import Call
from service.draining import read_until_drained
from service.errors import InternalError, ServiceError
from service.kserve.inference import infer
from service.kserve.stubs import inference_pb2
from service.kserve.texts import Texts
from service.logs import trail
from service.status import REASON_KEY
from service.translator import Translator

log = logging.getLogger("service.kserve")
Request = inference_pb2.ModelInferRequest
Reply = inference_pb2.ModelStreamInferResponse


async def infer_stream(
    translator: Translator, requests: AsyncIterator[Request], call: Call, draining: asyncio.Event
) -> AsyncGenerator[Reply]:
    """Answer each request; one is read when there is room for it, so that HTTP/2 slows the sender down.

    Raises:
        Draining: the server is shutting down, and reads no more requests.
        MalformedRequest: a message does not parse.
    """
    texts = Texts(translator)
    unanswered = asyncio.Semaphore(translator.limits.places)
    replies: asyncio.Queue[asyncio.Task[Reply] | None] = asyncio.Queue()
    running: set[asyncio.Task[Reply]] = set()

    async def read() -> None:
        index = 0
        async for request in requests:
            task = asyncio.create_task(_answer(translator, texts, request, call, index))
            running.add(task)
            task.add_done_callback(running.discard)
            replies.put_nowait(task)
            index += 1
            await unanswered.acquire()

    reader = asyncio.create_task(read_until_drained(read, draining))
    reader.add_done_callback(lambda _: replies.put_nowait(None))
    try:
        while (task := await replies.get()) is not None:
            yield await task
            unanswered.release()
        await reader
    finally:
        for left in (reader, *running):
            left.cancel()
        await asyncio.gather(reader, *running, return_exceptions=True)


async def _answer(translator: Translator, texts: Texts, request: Request, call: Call, index: int) -> Reply:
    """Translate one request; what goes wrong with it becomes its reply."""
    own = replace(call, request_id=f"{call.request_id}-{index}", started_at=time.monotonic(), stages={})
    try:
        return Reply(infer_response=await infer(translator, texts, request, own))
    except Exception as error:
        if not isinstance(error, ServiceError):
            log.error("request %s of call %s failed: %s", own.request_id, call.request_id, trail(error))
            error = InternalError("the server failed on this request; its log has the cause")
        translator.metrics.item_rejected(error.reason)
        refusal = inference_pb2.ModelInferResponse(id=request.id)
        refusal.parameters[REASON_KEY].string_param = error.reason
        return Reply(error_message=error.message, infer_response=refusal)
    finally:
        call.model = own.model  # of a stream the access log has the last
