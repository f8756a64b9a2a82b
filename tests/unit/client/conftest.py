"""A real gRPC server on a free port, whose answers a test chooses per text."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NoReturn

import grpc
import pytest

from seq2serve import AsyncClient, Client, command
from seq2serve.v1 import (
    model_pb2,
    model_pb2_grpc,
    options_pb2,
    translation_pb2,
    translation_pb2_grpc,
)

Request = translation_pb2.TranslateRequest
Response = translation_pb2.TranslateResponse
Event = translation_pb2.TranslateEvent
Result = translation_pb2.TranslateResult
Behaviour = Callable[[Request, grpc.ServicerContext], Response]
Streaming = Callable[[Request, grpc.ServicerContext], Iterator[Event]]
Bulk = Callable[[Iterator[Request], grpc.ServicerContext], Iterator[Result]]

PATIENCE = 30.0  # no test waits that long; it only turns a hang into a failure


class FakeServer(translation_pb2_grpc.TranslationServiceServicer, model_pb2_grpc.ModelServiceServicer):
    """Answers as told: `behaviours[text]`, else the text in capitals.

    `requests` are those of single texts, as whole or as a stream. `statuses[text]` is how an item of
    many fails.
    """

    def __init__(self) -> None:
        self.address = ""
        self.requests: list[Request] = []
        self.batches: list[translation_pb2.TranslateBatchRequest] = []
        self.bulk_requests: list[Request] = []
        self.list_requests: list[model_pb2.ListModelsRequest] = []
        self.score_requests: list[translation_pb2.ScoreRequest] = []
        self.statuses: dict[str, translation_pb2.ItemStatus] = {}
        self.streaming: Streaming = self.stream
        self.batch: Callable[..., translation_pb2.TranslateBatchResponse] = self.answer_batch
        self.bulk: Bulk = self.answer_each
        self.scoring: Callable[..., translation_pb2.ScoreResponse] = self.score
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

    def TranslateStream(self, request: Request, context: grpc.ServicerContext) -> Iterator[Event]:
        self.requests.append(request)
        self.time_remaining.append(context.time_remaining())
        yield from self.streaming(request, context)

    def stream(self, request: Request, context: grpc.ServicerContext) -> Iterator[Event]:
        """Answer word by word."""
        final = self.reply(request, context)
        accepted = translation_pb2.Accepted(
            request_id=final.request_id, resolved_model=final.resolved_model, source_tokens=3
        )
        yield Event(accepted=accepted)
        for number, word in enumerate(final.hypotheses[0].text.split()):
            yield Event(
                delta=translation_pb2.TranslationDelta(
                    text=f" {word}" if number else word, tokens=[word], token_ids=[number], token_scores=[-0.5]
                )
            )
        yield Event(final=final)

    def endless(self, request: Request, context: grpc.ServicerContext) -> Iterator[Event]:
        """Send deltas until the client goes away."""
        yield Event(accepted=translation_pb2.Accepted(request_id="endless"))
        while context.is_active():
            yield Event(delta=translation_pb2.TranslationDelta(text="on and "))

    def TranslateBatch(
        self, request: translation_pb2.TranslateBatchRequest, context: grpc.ServicerContext
    ) -> translation_pb2.TranslateBatchResponse:
        self.batches.append(request)
        return self.batch(request, context)

    def answer_batch(
        self, request: translation_pb2.TranslateBatchRequest, context: grpc.ServicerContext
    ) -> translation_pb2.TranslateBatchResponse:
        """Answer each item as the single call would be."""
        items = [Request.FromString(request.defaults.SerializeToString()) for _ in request.items]
        for item, own in zip(items, request.items, strict=True):
            item.MergeFrom(own)
        results = [self.result(index, item, context) for index, item in enumerate(items)]
        return translation_pb2.TranslateBatchResponse(request_id=request.request_id, results=results)

    def TranslateBulk(self, request_iterator: Iterator[Request], context: grpc.ServicerContext) -> Iterator[Result]:
        yield from self.bulk(request_iterator, context)

    def answer_each(self, requests: Iterator[Request], context: grpc.ServicerContext) -> Iterator[Result]:
        """Answer each text of a stream before the next is read."""
        for index, request in enumerate(requests):
            self.bulk_requests.append(request)
            yield self.result(index, request, context)

    def result(self, index: int, request: Request, context: grpc.ServicerContext) -> Result:
        """Answer one item of many."""
        request_id = request.request_id or f"made-{index}"
        if request.text in self.statuses:
            return Result(request_id=request_id, index=index, status=self.statuses[request.text])
        status = translation_pb2.ItemStatus()
        return Result(request_id=request_id, index=index, status=status, response=self.reply(request, context))

    def Score(
        self, request: translation_pb2.ScoreRequest, context: grpc.ServicerContext
    ) -> translation_pb2.ScoreResponse:
        self.score_requests.append(request)
        return self.scoring(request, context)

    def score(
        self, request: translation_pb2.ScoreRequest, context: grpc.ServicerContext
    ) -> translation_pb2.ScoreResponse:
        """Answer that each letter of the target, and its end, costs a quarter."""
        count = len(request.target_text) + 1
        hypothesis = translation_pb2.Hypothesis(
            text=request.target_text,
            score=-0.25,
            log_probability=-0.25 * count,
            token_scores=[-0.25] * count if request.output.token_scores else [],
            finish_reason=translation_pb2.FINISH_REASON_EOS,
        )
        model = model_pb2.ModelRef(name="en-de", version=1)
        return translation_pb2.ScoreResponse(request_id="made", hypothesis=hypothesis, resolved_model=model)

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
        self.list_requests.append(request)
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
    with serving() as fake:
        yield fake


@pytest.fixture
def aging_server() -> Iterator[FakeServer]:
    """A server that closes connections, and the calls on them, after some tenths of a second."""
    with serving(("grpc.max_connection_age_ms", 100), ("grpc.max_connection_age_grace_ms", 100)) as fake:
        yield fake


@contextmanager
def serving(*options: tuple[str, int]) -> Iterator[FakeServer]:
    fake = FakeServer()
    real = grpc.server(ThreadPoolExecutor(32), options=[("grpc.so_reuseport", 0), *options])
    translation_pb2_grpc.add_TranslationServiceServicer_to_server(fake, real)
    model_pb2_grpc.add_ModelServiceServicer_to_server(fake, real)
    fake.address = f"127.0.0.1:{real.add_insecure_port('127.0.0.1:0')}"
    real.start()
    yield fake
    fake.stopping.set()
    real.stop(grace=None).wait(PATIENCE)


@pytest.fixture
def run(server: FakeServer, capsys, monkeypatch, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process; returns exit code, output and messages."""

    def run(*args: str, stdin: bytes = b"") -> tuple[int, str, str]:
        path = tmp_path / "stdin"
        path.write_bytes(stdin)
        with path.open() as file:
            monkeypatch.setattr(sys, "stdin", file)
            code = command.main([*args, "--address", server.address])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def in_background() -> Iterator[None]:
    """Ignore Ctrl-C, as background jobs of a shell do; processes that the test starts inherit it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def client(server: FakeServer) -> Iterator[Client]:
    with Client(server.address) as client:
        yield client


@pytest.fixture
def with_async_client(server: FakeServer) -> Callable[[Callable[[AsyncClient], Awaitable[None]]], None]:
    """Runs a coroutine function with an asyncio client."""

    def run(body: Callable[[AsyncClient], Awaitable[None]]) -> None:
        async def main() -> None:
            async with AsyncClient(server.address) as client:
                await asyncio.wait_for(body(client), PATIENCE)

        asyncio.run(main())

    return run


@pytest.fixture
def dead_address() -> Iterator[str]:
    """An address that refuses connections: bound, so nobody else takes it, but not listened at."""
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{holder.getsockname()[1]}"
