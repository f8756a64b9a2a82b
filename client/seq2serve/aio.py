"""The client for asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from functools import partial
from typing import Self, Unpack

import grpc

from seq2serve.access import Access
from seq2serve.bulk import IN_FLIGHT, async_bulk_results, checked
from seq2serve.channel import open_aio_channel, time_limit
from seq2serve.client import DEFAULT_ADDRESS, DEFAULT_TIMEOUT
from seq2serve.model import Model
from seq2serve.options import ScoreOptions, TranslateOptions
from seq2serve.outcome import BulkResult, Outcome, outcome_from
from seq2serve.request import batch_request, bulk_requests, model_ref, score_request, translate_request
from seq2serve.result import Translation
from seq2serve.scored import Scored
from seq2serve.source import Item, Source, many
from seq2serve.status import our_errors
from seq2serve.stream import AsyncTranslationStream
from seq2serve.v1 import model_pb2, model_pb2_grpc, translation_pb2_grpc


class AsyncClient:
    """Translates through a seq2serve server; any number of tasks may share one.

        async with AsyncClient("127.0.0.1:50051") as client:
            print(await client.translate("The weather is nice today."))

    Make it inside the running event loop, to which it belongs from then on. The arguments are those
    of `Client`. Cancelling a task that waits for a call tells the server to stop.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
        token_in_clear: bool = False,
    ) -> None:
        self.address = address
        self.timeout = timeout
        access = Access(credentials, token, token_in_clear)
        self._metadata = access.metadata(address)
        self._channel = open_aio_channel(address, access)
        self._translation = translation_pb2_grpc.TranslationServiceStub(self._channel)
        self._models = model_pb2_grpc.ModelServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        await self._channel.close()

    async def translate(
        self, text: Source, *, timeout: float | None = None, **options: Unpack[TranslateOptions]
    ) -> Translation:
        """Translate one text; see `Client.translate`."""
        request = translate_request(text, options)
        with our_errors(self.address):
            reply = await self._translation.Translate(request, timeout=self._limit(timeout), metadata=self._metadata)
        return Translation.from_message(reply)

    def translate_stream(
        self, text: Source, *, timeout: float | None = None, **options: Unpack[TranslateOptions]
    ) -> AsyncTranslationStream:
        """Translate one text and hand out its parts as they become certain.

            async with client.translate_stream("The weather is nice today.") as stream:
                async for delta in stream:
                    print(delta, end="", flush=True)

        See `Client.translate_stream`.
        """
        call = self._translation.TranslateStream(
            translate_request(text, options), timeout=self._limit(timeout), metadata=self._metadata
        )
        return AsyncTranslationStream(call, self.address)

    async def translate_batch(
        self, texts: Iterable[Item], *, timeout: float | None = None, **options: Unpack[TranslateOptions]
    ) -> list[Outcome]:
        """Translate several texts in one call; see `Client.translate_batch`."""
        request = batch_request(texts, options)
        if not request.items:
            return []
        with our_errors(self.address):
            reply = await self._translation.TranslateBatch(
                request, timeout=self._limit(timeout), metadata=self._metadata
            )
        return [outcome_from(result) for result in reply.results]

    def translate_bulk(
        self,
        texts: Iterable[Item] | AsyncIterable[Item],
        *,
        in_flight: int = IN_FLIGHT,
        timeout: float | None = None,
        **options: Unpack[TranslateOptions],
    ) -> AsyncGenerator[BulkResult, None]:
        """Translate any number of texts; see `Client.translate_bulk`.

        The texts are read in the event loop, so a source of them that blocks must be asynchronous.
        Python ends a loop that is left early only soon after; `contextlib.aclosing` ends it at once.
        """
        limit = None if timeout is None else time_limit(timeout)
        open_call = partial(self._translation.TranslateBulk, timeout=limit, metadata=self._metadata)
        return async_bulk_results(open_call, many(texts), bulk_requests(options), checked(in_flight), self.address)

    async def score(
        self, source: Source, target: Source, *, timeout: float | None = None, **options: Unpack[ScoreOptions]
    ) -> Scored:
        """Return how probable a given translation is; see `Client.score`."""
        request = score_request(source, target, options)
        with our_errors(self.address):
            reply = await self._translation.Score(request, timeout=self._limit(timeout), metadata=self._metadata)
        return Scored.from_message(reply)

    async def models(
        self, *, source_language: str = "", target_language: str = "", timeout: float | None = None
    ) -> list[Model]:
        """List the models that the server holds; see `Client.models`."""
        request = model_pb2.ListModelsRequest(source_language=source_language, target_language=target_language)
        with our_errors(self.address):
            reply = await self._models.ListModels(request, timeout=self._limit(timeout), metadata=self._metadata)
        return [Model.from_message(model) for model in reply.models]

    async def model(self, name: str = "", *, timeout: float | None = None) -> Model:
        """Describe one model; see `Client.model`."""
        request = model_pb2.GetModelRequest(model=model_ref(name))
        with our_errors(self.address):
            reply = await self._models.GetModel(request, timeout=self._limit(timeout), metadata=self._metadata)
        return Model.from_message(reply.model)

    def _limit(self, timeout: float | None) -> float:
        return time_limit(self.timeout if timeout is None else timeout)
