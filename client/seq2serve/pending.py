"""A translation that is under way."""

from __future__ import annotations

from collections.abc import Callable

import grpc

from seq2serve.result import Translation
from seq2serve.status import our_errors
from seq2serve.v1 import translation_pb2


class Pending:
    """A translation that `Client.submit` has sent and nobody has waited for yet."""

    def __init__(self, call: grpc.Future[translation_pb2.TranslateResponse], address: str) -> None:
        self._call = call
        self._address = address

    def result(self) -> Translation:
        """Wait for the translation.

        Raises:
            Seq2ServeError: The call failed.
        """
        with our_errors(self._address):
            return Translation.from_message(self._call.result())

    def cancel(self) -> None:
        """Tell the server to stop; nothing happens when the call is done."""
        self._call.cancel()

    def add_done_callback(self, callback: Callable[[], None]) -> None:
        """Call `callback` in gRPC's thread once the call is done, whatever became of it."""
        self._call.add_done_callback(lambda _: callback())
