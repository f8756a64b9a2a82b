"""Turns a failed call, or a failed item of one, back into the error that the server raised."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import cast

import grpc

from seq2serve import details, errors
from seq2serve.plain import seconds
from seq2serve.v1 import translation_pb2

REASON_TRAILER = "seq2serve-reason"
REQUEST_ID_TRAILER = "seq2serve-request-id"
_AGED = "max connection age"  # says gRPC where a server has closed a connection with the calls that were left on it


def _descendants(kind: type[errors.Seq2ServeError]) -> Iterator[type[errors.Seq2ServeError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)


_BY_REASON = {kind.reason: kind for kind in _descendants(errors.Seq2ServeError)}
_BY_CODE = {kind.code: kind for kind in errors.Seq2ServeError.__subclasses__()}
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


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
    if not reason and code is grpc.StatusCode.UNAVAILABLE and message == _AGED:
        ended = f"{address} has closed the connection, whose calls had gone on for too long ({message})"
        return errors.Unavailable(f"{ended}: send what is not answered in a new call")
    if not reason and code is grpc.StatusCode.UNAVAILABLE:
        return errors.ServerUnreachable(f"no server answers at {address}: {message}")
    known = details.details_from(cast("bytes", trailers.get(details.TRAILER, b"")))
    return _error(reason, code, message, request_id, known)


def item_error(status: translation_pb2.ItemStatus, request_id: str) -> errors.Seq2ServeError:
    """Return the error that a failed item stands for: what the item's own call would have raised."""
    known = details.Details(
        tuple(details.FieldViolation(fault.field, fault.description) for fault in status.field_violations),
        seconds(status.retry_after) if status.HasField("retry_after") else None,
    )
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    return _error(status.reason, code, status.message, request_id, known)


@contextmanager
def our_errors(address: str) -> Iterator[None]:
    """Raise gRPC failures in the block as the errors of this package."""
    try:
        yield
    except grpc.RpcError as failure:
        raise error_from(failure, address) from failure
    except grpc.FutureCancelledError as failure:
        raise errors.Cancelled("the call was cancelled") from failure
    except asyncio.CancelledError as failure:
        # gRPC raises this where only the call was cancelled too; a task that is being cancelled needs it.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise errors.Cancelled("the call was cancelled") from failure


def _error(
    reason: str, code: grpc.StatusCode, message: str, request_id: str, known: details.Details
) -> errors.Seq2ServeError:
    kind = _BY_REASON.get(reason) or _BY_CODE.get(code, errors.Seq2ServeError)
    return kind(message or kind.reason, reason=reason, code=code, request_id=request_id, **known._asdict())


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("ascii", "replace")
