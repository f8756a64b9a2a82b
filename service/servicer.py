"""The gRPC services: messages in, messages out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from seq2serve.v1 import model_pb2, model_pb2_grpc, translation_pb2, translation_pb2_grpc
from service.call import current_call
from service.description import describe
from service.items import translate_batch, translate_bulk
from service.limits import EdgeLimits
from service.registry import Registry
from service.scoring import score
from service.translator import Translator
from service.validation import resolve

Context = Any


class TranslationServicer(translation_pb2_grpc.TranslationServiceServicer):
    """Answer seq2serve.v1.TranslationService."""

    def __init__(self, translator: Translator, draining: asyncio.Event) -> None:
        self._translator, self._draining = translator, draining

    async def Translate(  # noqa: N802
        self, request: translation_pb2.TranslateRequest, context: Context
    ) -> translation_pb2.TranslateResponse:
        """Translate one text."""
        return await self._translator.translate(request, current_call())

    async def TranslateStream(  # noqa: N802
        self, request: translation_pb2.TranslateRequest, context: Context
    ) -> AsyncIterator[translation_pb2.TranslateEvent]:
        """Translate one text and send its parts as they become certain."""
        async with aclosing(self._translator.stream(request, current_call())) as events:
            async for event in events:
                yield event

    async def TranslateBatch(  # noqa: N802
        self, request: translation_pb2.TranslateBatchRequest, context: Context
    ) -> translation_pb2.TranslateBatchResponse:
        """Translate many texts in one call."""
        return await translate_batch(self._translator, request, current_call())

    async def TranslateBulk(  # noqa: N802
        self, request_iterator: AsyncIterator[translation_pb2.TranslateRequest], context: Context
    ) -> AsyncIterator[translation_pb2.TranslateResult]:
        """Translate a stream of texts."""
        results = translate_bulk(self._translator, request_iterator, current_call(), self._draining)
        async with aclosing(results):
            async for result in results:
                yield result

    async def Score(  # noqa: N802
        self, request: translation_pb2.ScoreRequest, context: Context
    ) -> translation_pb2.ScoreResponse:
        """Score a given translation."""
        return await score(self._translator, request, current_call())


class ModelServicer(model_pb2_grpc.ModelServiceServicer):
    """Answer seq2serve.v1.ModelService."""

    def __init__(self, registry: Registry, limits: EdgeLimits) -> None:
        self._registry, self._limits = registry, limits

    async def ListModels(  # noqa: N802
        self, request: model_pb2.ListModelsRequest, context: Context
    ) -> model_pb2.ListModelsResponse:
        """List all models, or those of a language pair, by the version that answers where none is named."""
        speaking = self._registry.speaking(request.source_language, request.target_language)
        models = [self._registry.usual(name) for name in dict.fromkeys(model.name for model in speaking)]
        return model_pb2.ListModelsResponse(models=[describe(m, self._registry, self._limits) for m in models])

    async def GetModel(  # noqa: N802
        self, request: model_pb2.GetModelRequest, context: Context
    ) -> model_pb2.GetModelResponse:
        """Describe one model, by the version that is named, or else that answers."""
        model = resolve(self._registry, request.model, "", "")
        if not request.model.WhichOneof("revision"):
            model = self._registry.usual(model.name)
        return model_pb2.GetModelResponse(model=describe(model, self._registry, self._limits))
