"""A call that is under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import grpc

from seq2serve.status import our_errors

_Result = TypeVar("_Result")


class Pending(Generic[_Result]):
    """A call that `Client.submit` has sent and nobody has waited for yet."""

    def __init__(self, call: grpc.Future[Any], read: Callable[[Any], _Result], address: str) -> None:
        self._call = call
        self._read = read
        self._address = address

    def result(self) -> _Result:
        """Wait for the result.

        Raises:
            Seq2ServeError: The call failed.
        """
        with our_errors(self._address):
            return self._read(self._call.result())

    def cancel(self) -> None:
        """Tell the server to stop; nothing happens when the call is done."""
        self._call.cancel()

    def add_done_callback(self, callback: Callable[[], None]) -> None:
        """Call `callback` in gRPC's thread once the call is done, whatever became of it."""
        self._call.add_done_callback(lambda _: callback())
