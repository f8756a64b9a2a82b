"""The client for blocking code."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from functools import partial
from typing import Self, Unpack

import grpc

from seq2serve.access import Access
from seq2serve.bulk import IN_FLIGHT, bulk_results, checked
from seq2serve.channel import open_channel, time_limit
from seq2serve.model import Model
from seq2serve.options import ScoreOptions, TranslateOptions
from seq2serve.outcome import BulkResult, Outcome, outcome_from
from seq2serve.pending import Pending
from seq2serve.request import batch_request, bulk_requests, model_ref, score_request, translate_request
from seq2serve.result import Translation
from seq2serve.scored import Scored
from seq2serve.source import Item, Source, many
from seq2serve.status import our_errors
from seq2serve.stream import TranslationStream
from seq2serve.v1 import model_pb2, model_pb2_grpc, translation_pb2_grpc

DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_TIMEOUT = 30.0


class Client:
    """Translates through a seq2serve server; any number of threads may share one.

        with Client("127.0.0.1:50051") as client:
            print(client.translate("The weather is nice today."))

    A text is a string, or `Tokens` where it is already cut into the model's pieces. Every method that
    translates takes the options of `TranslateOptions`, such as `model`, `target_language` or
    `beam_size`, and raises TypeError or ValueError for one that does not exist or cannot be sent.

    Args:
        address: `HOST:PORT`, or any gRPC target such as `dns:///HOST:PORT` for many servers.
        timeout: Time limit of a call in seconds, for calls that set none; it includes retries.
        credentials: For TLS, as `grpc.ssl_channel_credentials` makes them; None does not encrypt.
        token: Shows the server who calls. Without TLS it is sent to this machine alone, or not at all.
        token_in_clear: Send the token without TLS to other machines, too, where something else encrypts the way.

    Raises:
        ValueError: The token is not one, or would travel in clear.
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
        self._channel = open_channel(address, access)
        self._translation = translation_pb2_grpc.TranslationServiceStub(self._channel)
        self._models = model_pb2_grpc.ModelServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        self._channel.close()

    def translate(
        self, text: Source, *, timeout: float | None = None, **options: Unpack[TranslateOptions]
    ) -> Translation:
        """Translate one text.

        Args:
            text: The text in the source language.
            timeout: Time limit in seconds; None takes the client's.
            **options: See `TranslateOptions`.

        Raises:
            Seq2ServeError: The call failed; the class tells why.
        """
        request = translate_request(text, options)
        with our_errors(self.address):
            reply = self._translation.Translate(request, timeout=self._limit(timeout), metadata=self._metadata)
        return Translation.from_message(reply)

    def submit(
        self, text: Source, *, timeout: float | None = None, **options: Unpack[TranslateOptions]
    ) -> Pending[Translation]:
        """Send one text like `translate`, but return before the reply is there."""
        request = translate_request(text, options)
        call = self._translation.Translate.future(request, timeout=self._limit(timeout), metadata=self._metadata)
        return Pending(call, Translation.from_message, self.address)

    def translate_stream(
        self, text: Source, *, timeout: float | None = None, **options: Unpack[TranslateOptions]
    ) -> TranslationStream:
        """Translate one text and hand out its parts as they become certain.

            with client.translate_stream("The weather is nice today.") as stream:
                for delta in stream:
                    print(delta, end="", flush=True)

        The arguments are those of `translate`; what goes wrong is raised while the parts are read.
        """
        call = self._translation.TranslateStream(
            translate_request(text, options), timeout=self._limit(timeout), metadata=self._metadata
        )
        return TranslationStream(call, self.address)

    def translate_batch(
        self, texts: Iterable[Item], *, timeout: float | None = None, **options: Unpack[TranslateOptions]
    ) -> list[Outcome]:
        """Translate several texts in one call and return their outcomes in the same order.

        Args:
            texts: The texts, or pairs of a request id and a text; at most the model's
                `limits["max_batch_items"]`.
            timeout: Time limit of the whole call in seconds; None takes the client's.
            **options: See `TranslateOptions`; they hold for all texts. `request_id` names the call.

        Returns:
            For each text its Translation, or the Seq2ServeError that `translate` would have raised.

        Raises:
            Seq2ServeError: The call failed as a whole.
        """
        request = batch_request(texts, options)
        if not request.items:
            return []
        with our_errors(self.address):
            reply = self._translation.TranslateBatch(request, timeout=self._limit(timeout), metadata=self._metadata)
        return [outcome_from(result) for result in reply.results]

    def translate_bulk(
        self,
        texts: Iterable[Item],
        *,
        in_flight: int = IN_FLIGHT,
        timeout: float | None = None,
        **options: Unpack[TranslateOptions],
    ) -> Generator[BulkResult, None, None]:
        """Translate any number of texts, and yield the results as they are done.

        Results come in any order and name their text by position. Closing the generator, or leaving
        the loop over it, tells the server to stop. A server lets it go on for an hour or more
        (`max_connection_age_grace`), then it ends by `Unavailable`.

        Args:
            texts: The texts, or pairs of a request id and a text. They are read in another thread,
                and only as far ahead as `in_flight` says. What they raise is raised here, after the
                results of the texts before.
            in_flight: How many texts may be sent whose results have not been taken.
            timeout: Time limit of the whole stream in seconds; None sets none.
            **options: See `TranslateOptions`; they hold for all texts.

        Raises:
            Seq2ServeError: The call failed as a whole, while the results are read.
        """
        limit = None if timeout is None else time_limit(timeout)
        open_call = partial(self._translation.TranslateBulk, timeout=limit, metadata=self._metadata)
        return bulk_results(open_call, many(texts), bulk_requests(options), checked(in_flight), self.address)

    def score(
        self, source: Source, target: Source, *, timeout: float | None = None, **options: Unpack[ScoreOptions]
    ) -> Scored:
        """Return how probable a given translation is.

        Args:
            source: The text in the source language.
            target: Its translation; empty scores the end symbol alone.
            timeout: Time limit in seconds; None takes the client's.
            **options: See `ScoreOptions`.

        Raises:
            Seq2ServeError: The call failed; the class tells why.
        """
        request = score_request(source, target, options)
        with our_errors(self.address):
            reply = self._translation.Score(request, timeout=self._limit(timeout), metadata=self._metadata)
        return Scored.from_message(reply)

    def submit_score(
        self, source: Source, target: Source, *, timeout: float | None = None, **options: Unpack[ScoreOptions]
    ) -> Pending[Scored]:
        """Send a pair like `score`, but return before the reply is there."""
        request = score_request(source, target, options)
        call = self._translation.Score.future(request, timeout=self._limit(timeout), metadata=self._metadata)
        return Pending(call, Scored.from_message, self.address)

    def models(
        self, *, source_language: str = "", target_language: str = "", timeout: float | None = None
    ) -> list[Model]:
        """List the models that the server holds, one entry per name; languages given filter them."""
        request = model_pb2.ListModelsRequest(source_language=source_language, target_language=target_language)
        with our_errors(self.address):
            reply = self._models.ListModels(request, timeout=self._limit(timeout), metadata=self._metadata)
        return [Model.from_message(model) for model in reply.models]

    def model(self, name: str = "", *, timeout: float | None = None) -> Model:
        """Describe the model `NAME`, `NAME:VERSION` or `NAME:ALIAS`; empty is the default model."""
        request = model_pb2.GetModelRequest(model=model_ref(name))
        with our_errors(self.address):
            reply = self._models.GetModel(request, timeout=self._limit(timeout), metadata=self._metadata)
        return Model.from_message(reply.model)

    def _limit(self, timeout: float | None) -> float:
        return time_limit(self.timeout if timeout is None else timeout)
