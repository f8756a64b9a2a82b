"""A real gRPC server on a free port, whose answers a test chooses per text."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import NoReturn

import grpc
import pytest

from seq2serve import Client
from seq2serve.v1 import (
    model_pb2,
    model_pb2_grpc,
    options_pb2,
    translation_pb2,
    translation_pb2_grpc,
)

Request = translation_pb2.TranslateRequest
Response = translation_pb2.TranslateResponse
Behaviour = Callable[[Request, grpc.ServicerContext], Response]

PATIENCE = 30.0  # no test waits that long; it only turns a hang into a failure


class FakeServer(translation_pb2_grpc.TranslationServiceServicer, model_pb2_grpc.ModelServiceServicer):
    """Answers as told: `behaviours[text]`, else the text in capitals."""

    def __init__(self) -> None:
        self.address = ""
        self.requests: list[Request] = []
        self.time_remaining: list[float] = []
        self.behaviours: dict[str, Behaviour] = {}
        self.every: Behaviour = self.reply
        self.stopping = threading.Event()

    def Translate(self, request: Request, context: grpc.ServicerContext) -> Response:
        self.requests.append(request)
        self.time_remaining.append(context.time_remaining())
        return self.behaviours.get(request.text, self.every)(request, context)

    def reply(self, request: Request, context: grpc.ServicerContext) -> Response:
        """Answer with the text in capitals."""
        response = Response(
            request_id=request.request_id or "made-by-server",
            resolved_model=model_pb2.ModelRef(name="en-de", version=1),
            usage=translation_pb2.Usage(source_tokens=3, target_tokens=2),
        )
        hypothesis = response.hypotheses.add(text=request.text.upper(), finish_reason=translation_pb2.FINISH_REASON_EOS)
        if request.output.scores:
            hypothesis.score = -0.2
        response.timing.total.FromMilliseconds(20)
        response.timing.decode_steps = 2
        return response

    def hang(self, request: Request, context: grpc.ServicerContext) -> Response:
        """Answer only when the test is over."""
        self.stopping.wait(PATIENCE)
        return self.reply(request, context)

    def failing(self, code: grpc.StatusCode, reason: str, message: str = "no") -> Behaviour:
        """Make a behaviour that ends the call the way the server does."""

        def fail(request: object, context: grpc.ServicerContext) -> NoReturn:
            context.set_trailing_metadata((("seq2serve-reason", reason), ("seq2serve-request-id", "request-7")))
            context.abort(code, message)
            raise AssertionError("abort always raises")

        return fail

    def ListModels(
        self, request: model_pb2.ListModelsRequest, context: grpc.ServicerContext
    ) -> model_pb2.ListModelsResponse:
        return model_pb2.ListModelsResponse(models=[MODEL])

    def GetModel(self, request: model_pb2.GetModelRequest, context: grpc.ServicerContext) -> model_pb2.GetModelResponse:
        if request.model.name not in ("", MODEL.name):
            self.failing(grpc.StatusCode.NOT_FOUND, "model_not_found", "served: en-de")(request, context)
        if request.model.WhichOneof("revision") and request.model.version != MODEL.version:
            self.failing(grpc.StatusCode.NOT_FOUND, "version_not_found", "served: 1")(request, context)
        return model_pb2.GetModelResponse(model=MODEL)


MODEL = model_pb2.Model(
    name="en-de",
    version=1,
    state=model_pb2.MODEL_STATE_AVAILABLE,
    versions=[model_pb2.VersionStatus(version=1, state=model_pb2.MODEL_STATE_AVAILABLE)],
    aliases=[model_pb2.ModelAlias(alias="stable", version=1)],
    is_default=True,
    languages=[model_pb2.LanguagePair(source="en", target="de")],
    architecture="gru",
    attention="additive",
    parameter_count=7_000_000,
    source_vocabulary_size=8000,
    target_vocabulary_size=8000,
    limits=model_pb2.Limits(max_source_tokens=256, max_length=256, max_beam_size=12),
    default_options=options_pb2.DecodeOptions(beam_size=1, max_length_ratio=2.0),
    runtime=model_pb2.Runtime(provider="CPUExecutionProvider", device="cpu", precision="fp32"),
    training_scores=[model_pb2.TrainingScore(metric="bleu", value=31.5, dataset="tatoeba")],
)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    real = grpc.server(ThreadPoolExecutor(32), options=[("grpc.so_reuseport", 0)])
    translation_pb2_grpc.add_TranslationServiceServicer_to_server(fake, real)
    model_pb2_grpc.add_ModelServiceServicer_to_server(fake, real)
    fake.address = f"127.0.0.1:{real.add_insecure_port('127.0.0.1:0')}"
    real.start()
    yield fake
    fake.stopping.set()
    real.stop(grace=None).wait(PATIENCE)


@pytest.fixture
def client(server: FakeServer) -> Iterator[Client]:
    with Client(server.address) as client:
        yield client


@pytest.fixture
def dead_address() -> Iterator[str]:
    """An address that refuses connections: bound, so nobody else takes it, but not listened at."""
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{holder.getsockname()[1]}"
