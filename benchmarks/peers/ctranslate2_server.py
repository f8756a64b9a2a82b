"""CTranslate2 behind our API's method Translate, with dynamic batching; it runs in its own virtual environment.

A request says in options.max_length how many tokens to produce.
"""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import ctranslate2
import grpc
import sentencepiece

from benchmarks.peers.ctranslate2_worker import open_translator, translate
from benchmarks.peers.library_result import BATCH, Job
from seq2serve.v1 import translation_pb2

DELAY = 0.005  # seconds that a batch waits for more, from its first sentence on
METHODS = ("seq2serve.v1.TranslationService", "Translate")


@dataclass(frozen=True)
class Waiting:
    """Hold a sentence that waits for its translation."""

    job: Job
    latest: float  # when its batch starts without waiting for more, by the event loop's clock
    done: asyncio.Future[list[str]]


class Batcher:
    """Collect sentences while the batch before is translated."""

    def __init__(self, translator: ctranslate2.Translator, threads: int) -> None:
        self._translator, self._threads = translator, threads
        self._worker = ThreadPoolExecutor(1, "translate")
        self._line: asyncio.Queue[Waiting] = asyncio.Queue()

    async def translate(self, job: Job) -> list[str]:
        """Translate a sentence with those that come about the same time."""
        loop = asyncio.get_running_loop()
        waiting = Waiting(job, loop.time() + DELAY, loop.create_future())
        self._line.put_nowait(waiting)
        return await waiting.done

    async def run(self) -> None:
        """Translate batch after batch."""
        while True:
            batch = await self._collect()
            jobs = [waiting.job for waiting in batch]
            targets = await asyncio.get_running_loop().run_in_executor(self._worker, self._translate, jobs)
            for waiting, target in zip(batch, targets, strict=True):
                if not waiting.done.done():  # its caller may have gone away
                    waiting.done.set_result(target)

    async def _collect(self) -> list[Waiting]:
        batch = [await self._line.get()]
        try:
            async with asyncio.timeout_at(batch[0].latest):
                while len(batch) < BATCH:
                    batch.append(await self._line.get())
        except TimeoutError:
            pass
        return batch

    def _translate(self, jobs: list[Job]) -> list[list[str]]:
        return translate(self._translator, jobs, -(-len(jobs) // self._threads))  # a share for each thread


async def serve(batcher: Batcher, vocabulary: sentencepiece.SentencePieceProcessor) -> None:
    """Serve the method on a free port of 127.0.0.1, and print the port."""

    async def answer(
        request: translation_pb2.TranslateRequest, context: "grpc.aio.ServicerContext[object, object]"
    ) -> translation_pb2.TranslateResponse:
        source: list[str] = vocabulary.encode(request.text, out_type=str)
        if not source or not request.options.max_length:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "give a text, and options.max_length")
        target = await batcher.translate((source, request.options.max_length))
        return translation_pb2.TranslateResponse(
            hypotheses=[translation_pb2.Hypothesis(text=vocabulary.decode(target))],
            usage=translation_pb2.Usage(source_tokens=len(source), target_tokens=len(target)),
        )

    handler = grpc.unary_unary_rpc_method_handler(
        answer,
        translation_pb2.TranslateRequest.FromString,
        translation_pb2.TranslateResponse.SerializeToString,
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(METHODS[0], {METHODS[1]: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await batcher.run()


async def main(folder: str, vocabulary: str, precision: str, threads: str) -> None:
    """Serve until stopped."""
    translator = open_translator(folder, precision, int(threads))
    await serve(Batcher(translator, int(threads)), sentencepiece.SentencePieceProcessor(model_file=vocabulary))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
