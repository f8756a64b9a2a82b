"""The gRPC service: messages in, messages out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from service import VERSION
from service.call import current_call
from service.errors import ModelNotReady, NotServed
from service.health import Health
from service.kserve import description
from service.kserve.inference import find_model, infer
from service.kserve.stream import infer_stream
from service.kserve.stubs import inference_pb2, inference_pb2_grpc
from service.kserve.texts import Texts
from service.model import Model
from service.translator import Translator

SERVICE = inference_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name
EXTENSIONS = ("model_configuration", "parameters")
Context = Any


class InferenceServicer(inference_pb2_grpc.GRPCInferenceServiceServicer):
    """Answer inference.GRPCInferenceService."""

    def __init__(self, translator: Translator, health: Health, draining: asyncio.Event) -> None:
        self._translator, self._health, self._draining = translator, health, draining

    async def ServerLive(  # noqa: N802
        self, request: inference_pb2.ServerLiveRequest, context: Context
    ) -> inference_pb2.ServerLiveResponse:
        """Tell that the process is alive."""
        return inference_pb2.ServerLiveResponse(live=True)

    async def ServerReady(  # noqa: N802
        self, request: inference_pb2.ServerReadyRequest, context: Context
    ) -> inference_pb2.ServerReadyResponse:
        """Tell whether the server wants traffic."""
        return inference_pb2.ServerReadyResponse(ready=self._health.serving)

    async def ModelReady(  # noqa: N802
        self, request: inference_pb2.ModelReadyRequest, context: Context
    ) -> inference_pb2.ModelReadyResponse:
        """Tell whether a model wants traffic."""
        try:
            self._find(request)
        except (NotServed, ModelNotReady):
            return inference_pb2.ModelReadyResponse(ready=False)
        return inference_pb2.ModelReadyResponse(ready=self._health.serving)

    async def ServerMetadata(  # noqa: N802
        self, request: inference_pb2.ServerMetadataRequest, context: Context
    ) -> inference_pb2.ServerMetadataResponse:
        """Name the server."""
        return inference_pb2.ServerMetadataResponse(name="seq2serve", version=VERSION, extensions=EXTENSIONS)

    async def ModelMetadata(  # noqa: N802
        self, request: inference_pb2.ModelMetadataRequest, context: Context
    ) -> inference_pb2.ModelMetadataResponse:
        """Describe a model."""
        return description.metadata(self._find(request), self._translator.registry)

    async def ModelConfig(  # noqa: N802
        self, request: inference_pb2.ModelConfigRequest, context: Context
    ) -> inference_pb2.ModelConfigResponse:
        """Describe a model as a configuration of Triton's."""
        return inference_pb2.ModelConfigResponse(config=description.config(self._find(request)))

    async def ModelInfer(  # noqa: N802
        self, request: inference_pb2.ModelInferRequest, context: Context
    ) -> inference_pb2.ModelInferResponse:
        """Translate the texts of one request."""
        return await infer(self._translator, Texts(self._translator), request, current_call())

    async def ModelStreamInfer(  # noqa: N802
        self, request_iterator: AsyncIterator[inference_pb2.ModelInferRequest], context: Context
    ) -> AsyncIterator[inference_pb2.ModelStreamInferResponse]:
        """Translate the texts of a stream of requests."""
        replies = infer_stream(self._translator, request_iterator, current_call(), self._draining)
        async with aclosing(replies):
            async for reply in replies:
                yield reply

    def _find(
        self,
        request: inference_pb2.ModelReadyRequest
        | inference_pb2.ModelMetadataRequest
        | inference_pb2.ModelConfigRequest,
    ) -> Model:
        return find_model(self._translator.registry, "name", request.name, request.version)
