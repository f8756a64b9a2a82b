"""A translation that comes in parts, each sent as soon as it is certain."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator
from dataclasses import dataclass, field
from typing import Protocol, Self

import grpc

from seq2serve.errors import InternalError, Seq2ServeError
from seq2serve.facts import ModelVersion
from seq2serve.result import Translation
from seq2serve.status import our_errors
from seq2serve.v1 import translation_pb2


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server took the request: under which id, for which model, with how many pieces to read."""

    request_id: str
    model: ModelVersion
    source_tokens: int

    @classmethod
    def from_message(cls, message: translation_pb2.Accepted) -> Accepted:
        """Read the protocol's message."""
        return cls(message.request_id, ModelVersion.from_message(message.resolved_model), message.source_tokens)


@dataclass(frozen=True, slots=True)
class Delta:
    """Text to append to what came before; empty while its pieces do not yet make text.

    `tokens` and `token_ids` come with `tokens`, `token_scores` with `token_scores`.
    """

    text: str
    tokens: tuple[str, ...]
    token_ids: tuple[int, ...]
    token_scores: tuple[float, ...]
    message: translation_pb2.TranslationDelta = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.text

    @classmethod
    def from_message(cls, message: translation_pb2.TranslationDelta) -> Delta:
        """Read the protocol's message."""
        return cls(
            text=message.text,
            tokens=tuple(message.tokens),
            token_ids=tuple(message.token_ids),
            token_scores=tuple(message.token_scores),
            message=message,
        )


class _Parts:
    """What has come so far.

    Attributes:
        accepted: Set before the first delta comes, None until then.
        final: The whole translation, None until the last delta was read.
    """

    def __init__(self) -> None:
        self.accepted: Accepted | None = None
        self.final: Translation | None = None

    def _deltas(self, event: translation_pb2.TranslateEvent) -> Iterator[Delta]:
        match event.WhichOneof("event"):
            case "accepted":
                self.accepted = Accepted.from_message(event.accepted)
            case "delta":
                yield Delta.from_message(event.delta)
            case "final":
                self.final = Translation.from_message(event.final)

    def _finished(self) -> Translation:
        if self.final is None:
            raise InternalError("the server ended the stream without a translation")
        return self.final


class _Call(Protocol):
    def __iter__(self) -> Iterator[translation_pb2.TranslateEvent]: ...
    def cancel(self) -> bool: ...


class TranslationStream(_Parts):
    """A translation under way; iterate over it for its deltas, in a `for` loop or as a context.

    Leaving the loop or the `with` block before the end tells the server to stop.

    Attributes:
        accepted: What the server said when it took the request; set before the first delta comes.
        final: The whole translation; set once the last delta was read.
    """

    def __init__(self, call: _Call, address: str) -> None:
        super().__init__()
        self._call = call
        self._address = address

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def __iter__(self) -> Generator[Delta, None, None]:
        try:
            with our_errors(self._address):
                for event in self._call:
                    yield from self._deltas(event)
        finally:
            self.cancel()
        self._finished()

    def result(self) -> Translation:
        """Read what is still to come and return the whole translation.

        Raises:
            Seq2ServeError: The call failed, or was cancelled.
        """
        for _ in self:
            pass
        return self._finished()

    def cancel(self) -> None:
        """Tell the server to stop; nothing happens when the translation is done."""
        self._call.cancel()


class AsyncTranslationStream(_Parts):
    """A translation under way; iterate over it with `async for`, else as `TranslationStream`.

    Python ends an `async for` loop that is left early only soon after; `async with` ends it at once.
    """

    def __init__(
        self,
        call: grpc.aio.UnaryStreamCall[translation_pb2.TranslateRequest, translation_pb2.TranslateEvent],
        address: str,
    ) -> None:
        super().__init__()
        self._call = call
        self._address = address
        self._failure: Seq2ServeError | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cancel()

    async def __aiter__(self) -> AsyncGenerator[Delta, None]:
        if self._failure is not None:
            raise self._failure
        try:
            with our_errors(self._address):
                async for event in self._call:
                    for delta in self._deltas(event):
                        yield delta
        except Seq2ServeError as failure:
            # gRPC tells it only once, and ends a second loop as if all were well.
            self._failure = failure
            raise
        finally:
            self.cancel()
        self._finished()

    async def result(self) -> Translation:
        """Read what is still to come; see `TranslationStream.result`."""
        async for _ in self:
            pass
        return self._finished()

    def cancel(self) -> None:
        """Tell the server to stop; nothing happens when the translation is done."""
        self._call.cancel()
