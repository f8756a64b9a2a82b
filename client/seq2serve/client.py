"""The client for blocking code."""

from __future__ import annotations

from typing import Self, Unpack

import grpc

from seq2serve.channel import open_channel
from seq2serve.model import Model
from seq2serve.options import TranslateOptions
from seq2serve.pending import Pending
from seq2serve.request import model_ref, translate_request
from seq2serve.result import Translation
from seq2serve.status import our_errors
from seq2serve.v1 import model_pb2, model_pb2_grpc, translation_pb2_grpc

DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_TIMEOUT = 30.0


class Client:
    """Translates through a seq2serve server; any number of threads may share one.

        with Client("127.0.0.1:50051") as client:
            print(client.translate("The weather is nice today."))

    Args:
        address: `HOST:PORT`, or any gRPC target such as `dns:///HOST:PORT` for many servers.
        timeout: Time limit of a call in seconds, for calls that set none; it includes retries.
        credentials: For TLS, as `grpc.ssl_channel_credentials` makes them; None does not encrypt.
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
        self._channel = open_channel(address, credentials)
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
        self,
        text: str,
        *,
        model: str = "",
        source_language: str = "",
        target_language: str = "",
        timeout: float | None = None,
        **options: Unpack[TranslateOptions],
    ) -> Translation:
        """Translate one text.

        Args:
            text: The text in the source language.
            model: `NAME`, `NAME:VERSION` or `NAME:ALIAS`; empty leaves the choice to the server.
            source_language: BCP-47 tag; empty takes the model's.
            target_language: BCP-47 tag; empty takes the model's.
            timeout: Time limit in seconds; None takes the client's.
            **options: See `TranslateOptions`.

        Raises:
            Seq2ServeError: The call failed; the class tells why.
        """
        request = translate_request(
            text,
            model=model,
            source_language=source_language,
            target_language=target_language,
            options=options,
        )
        with our_errors(self.address):
            reply = self._translation.Translate(request, timeout=self._limit(timeout))
        return Translation.from_message(reply)

    def submit(
        self,
        text: str,
        *,
        model: str = "",
        source_language: str = "",
        target_language: str = "",
        timeout: float | None = None,
        **options: Unpack[TranslateOptions],
    ) -> Pending:
        """Send one text like `translate`, but return before the reply is there."""
        request = translate_request(
            text,
            model=model,
            source_language=source_language,
            target_language=target_language,
            options=options,
        )
        call = self._translation.Translate.future(request, timeout=self._limit(timeout))
        return Pending(call, self.address)

    def models(self, *, timeout: float | None = None) -> list[Model]:
        """List the models that the server holds, one entry per name."""
        with our_errors(self.address):
            reply = self._models.ListModels(model_pb2.ListModelsRequest(), timeout=self._limit(timeout))
        return [Model.from_message(model) for model in reply.models]

    def model(self, name: str = "", *, timeout: float | None = None) -> Model:
        """Describe the model `NAME`, `NAME:VERSION` or `NAME:ALIAS`; empty is the default model."""
        request = model_pb2.GetModelRequest(model=model_ref(name))
        with our_errors(self.address):
            reply = self._models.GetModel(request, timeout=self._limit(timeout))
        return Model.from_message(reply.model)

    def _limit(self, timeout: float | None) -> float:
        return self.timeout if timeout is None else timeout
