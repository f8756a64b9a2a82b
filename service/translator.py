"""From a message to its reply, however it came: alone, in a batch, in a stream."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from seq2serve.v1 import translation_pb2
from service.cache import Cache
from service.call import Call, check_key
from service.delivery import Delivery
from service.limits import EdgeLimits
from service.metrics.edge import Metrics
from service.mirror import Mirror
from service.model import Model
from service.options import Ids
from service.registry import Registry
from service.replies import delta, model_ref, translate_response
from service.room import Room
from service.shares import Shares
from service.tracing import Tracing
from service.translation import Message, Translation, is_heavy
from service.validation import resolve

Reply: TypeAlias = translation_pb2.TranslateResponse
T = TypeVar("T")


@dataclass(frozen=True)
class Translator:
    """Translate messages with the loaded models."""

    registry: Registry
    delivery: Delivery | Cache
    limits: EdgeLimits
    metrics: Metrics
    tracing: Tracing
    shares: Shares
    mirror: Mirror
    executor: Executor = field(default_factory=lambda: ThreadPoolExecutor(1, "edge"))  # for what is heavy

    async def accept(
        self,
        message: Message,
        call: Call,
        streams: bool = False,
        forced: Ids | None = None,
        model: Model | None = None,
    ) -> Translation:
        """Validate a message, and take its id for the call.

        `forced` is the target to score, if it is given, and `model` who translates, if that is decided. The
        caller takes the client's share, and lets go of what was accepted, whatever becomes of it.

        Raises:
            ServiceError: it cannot be honoured.
        """
        if message.request_id:
            call.request_id = check_key(message.request_id)
        model = model or resolve(self.registry, message.model, message.source_language, message.target_language)
        call.model = f"{model.name}/{model.version}"
        model.readers += 1
        try:
            translation = await self._read(message, model, call, streams, forced)
            model.users.add(translation)
        finally:
            model.readers -= 1
        for request in translation.requests:
            request.deadline = call.deadline
            request.priority = message.priority if message.HasField("priority") else call.priority
        return translation

    async def _read(self, message: Message, model: Model, call: Call, streams: bool, forced: Ids | None) -> Translation:
        def read() -> Translation:
            return Translation(message, model, self.limits, streams, forced)

        return await self._aside(call, read) if is_heavy(message) else read()

    def let_go(self, translation: Translation) -> None:
        """Let a model be unloaded, as far as it is up to a translation."""
        translation.model.users.discard(translation)

    async def translate(
        self, message: Message, call: Call, forced: Ids | None = None, room: Room | None = None
    ) -> Reply:
        """Translate one text, or score its translation where that is `forced`; `room` is that of a call of many.

        Raises:
            ServiceError: it was refused, or failed.
        """
        translation = await self.accept(message, call, forced=forced)
        try:
            self.shares.take(call.client, translation.source_tokens)
            return await self.finish(translation, call, room)
        finally:
            self.let_go(translation)

    async def finish(self, translation: Translation, call: Call, room: Room | None = None) -> Reply:
        """Translate what was accepted.

        Raises:
            ServiceError: it was refused, or failed.
        """
        try:
            await translation.complete(self.delivery, room)
        finally:
            self._count(translation)
        return await self._reply(translation, call)

    async def stream(self, message: Message, call: Call) -> AsyncGenerator[translation_pb2.TranslateEvent]:
        """Translate one text and tell of its parts as they become certain.

        Raises:
            ServiceError: it was refused, or failed.
        """
        translation = await self.accept(message, call, streams=True)
        try:
            self.shares.take(call.client, translation.source_tokens)
            accepted = translation_pb2.Accepted(
                request_id=call.request_id,
                resolved_model=model_ref(translation.model),
                source_tokens=translation.source_tokens,
            )
            async with aclosing(translation.progress(self.delivery)) as news:
                await anext(news)  # which comes once all is in line
                yield translation_pb2.TranslateEvent(accepted=accepted)
                async for progress in news:
                    if progress.text or (progress.ids and (message.output.tokens or message.output.token_scores)):
                        yield translation_pb2.TranslateEvent(delta=delta(progress, translation))
        finally:
            self._count(translation)
            self.let_go(translation)
        yield translation_pb2.TranslateEvent(final=await self._reply(translation, call))

    async def _reply(self, translation: Translation, call: Call) -> Reply:
        writing = translate_response(translation, call.request_id, call.started_at)
        made = None
        if is_heavy(translation.message):
            while made is None:
                made = await self._aside(call, lambda: next(writing))
        else:
            *_, made = writing
        assert made is not None  # the last thing that comes
        reply, times = made
        call.stages = times.stages
        if not translation.is_forced:  # which says nothing of how models translate
            self.metrics.translation_replied(translation.model, translation.requests, times, call.trace_id)
        self.tracing.translated(call, translation.model, translation.requests, times)
        self.mirror.offer(translation, reply.hypotheses[0].text)
        return reply

    async def _aside(self, call: Call, work: Callable[[], T]) -> T:
        """Do what may take long in a thread, as everybody waits for the event loop; calls take turns there."""
        async with call.turn:
            return await asyncio.get_running_loop().run_in_executor(self.executor, work)

    def _count(self, translation: Translation) -> None:
        """Count requests once they have left the engine, however they did."""
        for request in translation.requests:
            if request.finish_reason is not None and not request.cached:  # none where the line refused it
                self.metrics.request_finished(translation.model, request.finish_reason)
