"""The client for asyncio."""

from __future__ import annotations

from typing import Self, Unpack

import grpc

from seq2serve.channel import open_aio_channel
from seq2serve.client import DEFAULT_ADDRESS, DEFAULT_TIMEOUT
from seq2serve.model import Model
from seq2serve.options import TranslateOptions
from seq2serve.request import model_ref, translate_request
from seq2serve.result import Translation
from seq2serve.status import our_errors
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
    ) -> None:
        self.address = address
        self.timeout = timeout
        self._channel = open_aio_channel(address, credentials)
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
        self,
        text: str,
        *,
        model: str = "",
        source_language: str = "",
        target_language: str = "",
        timeout: float | None = None,
        **options: Unpack[TranslateOptions],
    ) -> Translation:
        """Translate one text; see `Client.translate`."""
        request = translate_request(
            text,
            model=model,
            source_language=source_language,
            target_language=target_language,
            options=options,
        )
        with our_errors(self.address):
            reply = await self._translation.Translate(request, timeout=self._limit(timeout))
        return Translation.from_message(reply)

    async def models(self, *, timeout: float | None = None) -> list[Model]:
        """List the models that the server holds, one entry per name."""
        with our_errors(self.address):
            reply = await self._models.ListModels(model_pb2.ListModelsRequest(), timeout=self._limit(timeout))
        return [Model.from_message(model) for model in reply.models]

    async def model(
        self,
        name: str = "",
        *,
        timeout: float | None = None,
    ) -> Model:
        """Describe one model; see `Client.model`."""
        request = model_pb2.GetModelRequest(model=model_ref(name))
        with our_errors(self.address):
            reply = await self._models.GetModel(request, timeout=self._limit(timeout))
        return Model.from_message(reply.model)

    def _limit(self, timeout: float | None) -> float:
        return self.timeout if timeout is None else timeout
