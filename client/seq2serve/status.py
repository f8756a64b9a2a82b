"""Turns a failed gRPC call back into the error that the server raised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import cast

import grpc

from seq2serve import errors

REASON_TRAILER = "seq2serve-reason"
REQUEST_ID_TRAILER = "seq2serve-request-id"


def _descendants(kind: type[errors.Seq2ServeError]) -> Iterator[type[errors.Seq2ServeError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)


_BY_REASON = {kind.reason: kind for kind in _descendants(errors.Seq2ServeError)}
_BY_CODE = {kind.code: kind for kind in errors.Seq2ServeError.__subclasses__()}


def error_from(failure: grpc.RpcError, address: str) -> errors.Seq2ServeError:
    """Return the error that a failed call to `address` stands for.

    The server's reason decides the class. A reply without one did not come from seq2serve (gRPC
    itself or a proxy made it), so its status code decides.
    """
    code, message = failure.code(), failure.details() or ""
    # Blocking calls give named pairs here, asyncio plain ones, calls that never left maybe None.
    pairs = cast("Iterable[tuple[str, str | bytes]]", failure.trailing_metadata() or ())
    # Through `iter`, because asyncio's pairs come in an object whose `keys` misleads `dict`.
    trailers = dict(iter(pairs))
    reason = _text(trailers.get(REASON_TRAILER, ""))
    request_id = _text(trailers.get(REQUEST_ID_TRAILER, ""))
    if not reason and code is grpc.StatusCode.UNAVAILABLE:
        return errors.ServerUnreachable(f"no server answers at {address}: {message}")
    kind = _BY_REASON.get(reason) or _BY_CODE.get(code, errors.Seq2ServeError)
    return kind(message or kind.reason, reason=reason, code=code, request_id=request_id)


@contextmanager
def our_errors(address: str) -> Iterator[None]:
    """Raise gRPC failures in the block as the errors of this package."""
    try:
        yield
    except grpc.RpcError as failure:
        raise error_from(failure, address) from failure
    except grpc.FutureCancelledError as failure:
        raise errors.Cancelled("the call was cancelled") from failure


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("ascii", "replace")
