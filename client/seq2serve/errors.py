"""The errors that a call can raise, one class per reason that a server gives.

    Seq2ServeError
    ├── InvalidRequest            the request can never work as it is
    │   ├── MalformedRequest      the bytes are not a request
    │   ├── EmptySource           there is nothing to translate
    │   ├── SourceTooLong         more pieces than the model reads
    │   ├── InvalidOption         an option is out of its range
    │   └── ModelLanguageMismatch the model does not translate these languages
    ├── NotFound
    │   ├── ModelNotFound
    │   ├── VersionNotFound
    │   └── LanguagePairNotFound
    ├── FailedPrecondition
    │   └── UnsupportedOption     this server or model cannot do what is asked
    ├── ResourceExhausted         try later or elsewhere
    │   ├── QueueFull
    │   ├── DeadlineUnmeetable    it could not be done in time, so it was not begun
    │   └── ClientLimit           this client asks for more than its share
    ├── Unavailable               try again
    │   ├── Draining              the server is about to stop
    │   ├── ModelNotReady
    │   └── ServerUnreachable     no server answered at all
    ├── DeadlineExceeded
    ├── Cancelled
    ├── Unauthenticated
    ├── PermissionDenied
    ├── Unimplemented             the server is older than this client
    └── InternalError             the server failed

A reason that this client does not know yet becomes the class of its status code, which is the one
directly below Seq2ServeError, and keeps its own word in `error.reason`.
"""

from __future__ import annotations

import grpc

from seq2serve.details import FieldViolation


class Seq2ServeError(Exception):
    """A call failed; `str(error)` says why in one sentence.

    Attributes:
        reason: One lower-case word for the cause, stable across releases.
        code: The gRPC status code.
        request_id: The id under which the server logged the call; empty when it never saw it.
        field_violations: The fields of the request that are at fault, where some are.
        retry_after: In how many seconds to try again, where the server says so.
    """

    reason = "unknown"
    code = grpc.StatusCode.UNKNOWN

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        code: grpc.StatusCode | None = None,
        request_id: str = "",
        field_violations: tuple[FieldViolation, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.request_id = request_id
        self.field_violations = field_violations
        self.retry_after = retry_after
        # A newer server may know finer reasons than this client has classes for.
        if reason:
            self.reason = reason
        if code is not None:
            self.code = code


class InvalidRequest(Seq2ServeError):
    """The request can never work as it is."""

    reason = "invalid_argument"
    code = grpc.StatusCode.INVALID_ARGUMENT


class MalformedRequest(InvalidRequest):
    """The server could not read the request."""

    reason = "malformed_request"


class EmptySource(InvalidRequest):
    """The text is empty or blank."""

    reason = "empty_source"


class SourceTooLong(InvalidRequest):
    """The text has more pieces than the model reads."""

    reason = "source_too_long"


class InvalidOption(InvalidRequest):
    """An option is out of its range."""

    reason = "invalid_option"


class ModelLanguageMismatch(InvalidRequest):
    """The named model does not translate the named languages."""

    reason = "model_language_mismatch"


class NotFound(Seq2ServeError):
    """What the request names is not served here."""

    reason = "not_found"
    code = grpc.StatusCode.NOT_FOUND


class ModelNotFound(NotFound):
    """No model of this name is served."""

    reason = "model_not_found"


class VersionNotFound(NotFound):
    """The model is served, but not this version or alias."""

    reason = "version_not_found"


class LanguagePairNotFound(NotFound):
    """No model translates these languages."""

    reason = "language_pair_not_found"


class FailedPrecondition(Seq2ServeError):
    """The request does not fit the state of the server."""

    reason = "failed_precondition"
    code = grpc.StatusCode.FAILED_PRECONDITION


class UnsupportedOption(FailedPrecondition):
    """This server or this model cannot do what an option asks."""

    reason = "unsupported_option"


class ResourceExhausted(Seq2ServeError):
    """The server has no room for the request now."""

    reason = "resource_exhausted"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class QueueFull(ResourceExhausted):
    """Too many requests wait already."""

    reason = "queue_full"


class DeadlineUnmeetable(ResourceExhausted):
    """The request could not be finished before its deadline and was not begun."""

    reason = "deadline_unmeetable"


class ClientLimit(ResourceExhausted):
    """This client asks for more than its share."""

    reason = "client_limit"


class Unavailable(Seq2ServeError):
    """The server cannot answer now; another try may work."""

    reason = "unavailable"
    code = grpc.StatusCode.UNAVAILABLE


class Draining(Unavailable):
    """The server is about to stop and takes nothing new."""

    reason = "draining"


class ModelNotReady(Unavailable):
    """The model is still loading, or failed to."""

    reason = "model_not_ready"


class ServerUnreachable(Unavailable):
    """No server answered at the address."""

    reason = "server_unreachable"


class DeadlineExceeded(Seq2ServeError):
    """The time limit of the call passed."""

    reason = "deadline_exceeded"
    code = grpc.StatusCode.DEADLINE_EXCEEDED


class Cancelled(Seq2ServeError):
    """The call was cancelled."""

    reason = "cancelled"
    code = grpc.StatusCode.CANCELLED


class Unauthenticated(Seq2ServeError):
    """The server does not know who is calling."""

    reason = "unauthenticated"
    code = grpc.StatusCode.UNAUTHENTICATED


class PermissionDenied(Seq2ServeError):
    """The caller is known and not allowed to do this."""

    reason = "permission_denied"
    code = grpc.StatusCode.PERMISSION_DENIED


class Unimplemented(Seq2ServeError):
    """The server does not know this call."""

    reason = "unimplemented"
    code = grpc.StatusCode.UNIMPLEMENTED


class InternalError(Seq2ServeError):
    """The server failed; its log has more under the request id."""

    reason = "internal"
    code = grpc.StatusCode.INTERNAL
