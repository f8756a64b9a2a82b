"""What the peers in Python share: the method Translate of our API, served by a process of its own."""

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import grpc

from benchmarks.peers.loop import DecodeLoop, Translation
from benchmarks.peers.peer import Endpoint
from seq2serve.v1 import translation_pb2

ROOT = Path(__file__).parents[2]
SERVICE, METHOD = "seq2serve.v1.TranslationService", "Translate"
Translate: TypeAlias = Callable[[str], Awaitable[Translation]]


async def serve(translate: Translate) -> None:
    """Serve the method on a free port of 127.0.0.1, and print the port."""

    async def answer(request: translation_pb2.TranslateRequest, context: object) -> translation_pb2.TranslateResponse:
        found = await translate(request.text)
        return translation_pb2.TranslateResponse(
            hypotheses=[translation_pb2.Hypothesis(text=found.text)],
            usage=translation_pb2.Usage(target_tokens=found.target_tokens),
        )

    handler = grpc.unary_unary_rpc_method_handler(
        answer,
        translation_pb2.TranslateRequest.FromString,
        translation_pb2.TranslateResponse.SerializeToString,
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


def main(description: str | None, make: Callable[[DecodeLoop], Translate]) -> None:
    """Serve until stopped, as the command line says."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--bundle", type=Path, required=True, help="REPOSITORY/NAME/VERSION")
    parser.add_argument("--threads", type=int, required=True, help="of ONNX Runtime")
    parser.add_argument("--spinning", action="store_true", help="let idle threads spin, ONNX Runtime's own default")
    arguments = parser.parse_args()
    translate = make(DecodeLoop(arguments.bundle, arguments.threads, arguments.spinning))
    asyncio.run(serve(translate))


class TranslatePeer:
    """Speak the method Translate of our API."""

    def payload(self, text: str) -> bytes:
        """Return a serialized request."""
        return translation_pb2.TranslateRequest(text=text).SerializeToString()

    def text(self, reply: bytes) -> str:
        """Return the translation of a serialized reply."""
        return translation_pb2.TranslateResponse.FromString(reply).hypotheses[0].text

    def target_tokens(self, reply: bytes) -> int:
        """Return the pieces of a serialized reply's translation."""
        return translation_pb2.TranslateResponse.FromString(reply).usage.target_tokens


@dataclass(frozen=True)
class ProcessPeer(TranslatePeer):
    """Run a module of this package as a server, with a bundle where it needs one."""

    name: str
    module: str
    bundle: Path | None = None
    threads: int = 1
    spinning: bool = False

    def missing(self) -> str:
        """Say that it runs wherever our server does."""
        return ""

    @contextmanager
    def serve(self) -> Iterator[Endpoint]:
        """Start the process, wait for its port, and stop it at the end.

        Raises:
            RuntimeError: it ended before it had a port.
        """
        options = ["--bundle", str(self.bundle.resolve()), "--threads", str(self.threads)] if self.bundle else []
        options += ["--spinning"] if self.spinning else []
        command = [sys.executable, "-m", self.module, *options]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        ) as process:
            try:
                assert process.stdout is not None
                port = process.stdout.readline().strip()
                if not port:
                    raise RuntimeError(f"{self.module} did not start: its error stands above")
                yield Endpoint(f"127.0.0.1:{port}", f"/{SERVICE}/{METHOD}", process.pid)
            finally:
                process.terminate()
