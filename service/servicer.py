"""The gRPC services: messages in, requests through the engine, messages out."""

import time
from collections.abc import AsyncIterator
from typing import Any

from seq2serve.v1 import model_pb2, model_pb2_grpc, translation_pb2, translation_pb2_grpc
from service.call import check_request_id, current_call
from service.delivery import Delivery
from service.errors import Unimplemented
from service.metrics import Metrics
from service.registry import Registry
from service.replies import describe, hypothesis, model_ref, timing, usage
from service.request import Request
from service.validation import EdgeLimits, check_options, max_length, read_source, resolve

Context = Any


class TranslationServicer(translation_pb2_grpc.TranslationServiceServicer):
    """Answer seq2serve.v1.TranslationService."""

    def __init__(self, registry: Registry, delivery: Delivery, limits: EdgeLimits, metrics: Metrics) -> None:
        self._registry, self._delivery, self._limits, self._metrics = registry, delivery, limits, metrics

    async def Translate(  # noqa: N802
        self, request: translation_pb2.TranslateRequest, context: Context
    ) -> translation_pb2.TranslateResponse:
        """Translate one text."""
        call = current_call()
        if request.request_id:
            call.request_id = check_request_id(request.request_id)
        model = resolve(self._registry, request.model, request.source_language, request.target_language)
        call.model = f"{model.name}/{model.version}"
        check_options(request, self._limits)
        source = read_source(request, model, self._limits)
        accepted = model.request(source.ids, max_length(request.options, len(source.ids), model))
        try:
            await self._delivery.complete(model.engine, accepted)
        finally:
            if accepted.finish_reason is not None:  # none where the waiting line refused it
                self._metrics.request_finished(model, accepted.finish_reason)
        detokenized = time.monotonic()
        text = model.vocabulary.decode(accepted.target_ids)
        now = time.monotonic()
        call.stages = _stages(accepted, call.started_at, now - detokenized)
        total = now - call.started_at
        self._metrics.translation_replied(model, accepted, call.stages, total)
        reply = translation_pb2.TranslateResponse(
            request_id=call.request_id,
            hypotheses=[hypothesis(accepted, text, model, request.output)],
            resolved_model=model_ref(model),
            usage=usage(accepted, source, model),
        )
        if request.output.timing or not request.output.HasField("timing"):
            reply.timing.CopyFrom(timing(accepted, call.stages, total))
        if request.output.tokens:
            reply.source_tokens.extend(model.vocabulary.pieces(source.ids))
        return reply

    async def TranslateStream(  # noqa: N802
        self, request: translation_pb2.TranslateRequest, context: Context
    ) -> AsyncIterator[translation_pb2.TranslateEvent]:
        """Refuse: streaming is declared, and not served by this release."""
        raise Unimplemented("TranslateStream is not served by this release: use Translate")
        yield  # what makes it a stream

    async def TranslateBatch(  # noqa: N802
        self, request: translation_pb2.TranslateBatchRequest, context: Context
    ) -> translation_pb2.TranslateBatchResponse:
        """Refuse: batches are declared, and not served by this release."""
        raise Unimplemented("TranslateBatch is not served by this release: send many Translate calls at a time")

    async def TranslateBulk(  # noqa: N802
        self, request_iterator: AsyncIterator[translation_pb2.TranslateRequest], context: Context
    ) -> AsyncIterator[translation_pb2.TranslateResult]:
        """Refuse: bulk streams are declared, and not served by this release."""
        raise Unimplemented("TranslateBulk is not served by this release: send many Translate calls at a time")
        yield  # what makes it a stream

    async def Score(  # noqa: N802
        self, request: translation_pb2.ScoreRequest, context: Context
    ) -> translation_pb2.ScoreResponse:
        """Refuse: scoring is declared, and not served by this release."""
        raise Unimplemented("Score is not served by this release")


def _stages(request: Request, arrived_at: float, detokenize: float) -> dict[str, float]:
    """Divide a request's time, in seconds; the parts add up to all but the time between them."""
    return {
        "tokenize": request.submitted_at - arrived_at,
        "queue": request.admitted_at - request.submitted_at,
        "encode": request.encoded_at - request.admitted_at,
        "decode": request.finished_at - request.encoded_at,
        "detokenize": detokenize,
    }


class ModelServicer(model_pb2_grpc.ModelServiceServicer):
    """Answer seq2serve.v1.ModelService."""

    def __init__(self, registry: Registry, limits: EdgeLimits) -> None:
        self._registry, self._limits = registry, limits

    async def ListModels(  # noqa: N802
        self, request: model_pb2.ListModelsRequest, context: Context
    ) -> model_pb2.ListModelsResponse:
        """List all loaded versions, or those of a language pair."""
        models = self._registry.speaking(request.source_language, request.target_language)
        return model_pb2.ListModelsResponse(models=[describe(m, self._registry, self._limits) for m in models])

    async def GetModel(  # noqa: N802
        self, request: model_pb2.GetModelRequest, context: Context
    ) -> model_pb2.GetModelResponse:
        """Describe one model."""
        model = resolve(self._registry, request.model, "", "")
        return model_pb2.GetModelResponse(model=describe(model, self._registry, self._limits))
