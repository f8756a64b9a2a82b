"""What can go wrong, told apart by a stable lower-case reason (metric label, trailer and ErrorInfo alike).

ServiceError
├── InvalidRequest           invalid_option; the request can never succeed as it is
│   ├── MalformedRequest     malformed_request
│   ├── EmptySource          empty_source
│   ├── SourceTooLong        source_too_long
│   ├── ModelMismatch        model_language_mismatch
│   └── UnsupportedOption    unsupported_option; valid, but this server or model does not offer it
├── NotServed                model_not_found, the model is not in the repository
│   ├── VersionNotFound      version_not_found
│   └── LanguagePairNotFound language_pair_not_found
├── Unavailable              unavailable; try again, or elsewhere
│   ├── QueueFull            queue_full
│   ├── DeadlineUnmeetable   deadline_unmeetable; not begun, as it would not be done in time
│   ├── ClientLimit          client_limit; of one client alone
│   ├── ModelNotReady        model_not_ready; it is being loaded
│   └── Draining             draining
├── ModelRefused             model_refused; the version must not be served
├── DeadlineExceeded         deadline_exceeded; begun, and not done in time
├── Unauthenticated          unauthenticated; the caller shows no token that is known
├── PermissionDenied         permission_denied; the token is known, and not for this method
└── InternalError            internal; the cause is in the log, never in the reply

StartupError                 the server cannot start: the message names what is wrong and what to do
└── BundleError              a bundle that must not be served
    └── ParityError          its golden translations come out otherwise here
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

FAILED = "the model failed on this request; the server's log has the cause"
SHOWN = 60  # characters of a value that an error quotes: trailers have a limit


def quoted(value: str) -> str:
    """Return a caller's value as errors show it."""
    return repr(value) if len(value) <= SHOWN else f"{value[:SHOWN]!r}..."


@dataclass(frozen=True)
class FieldViolation:
    """Name a request field and say what is wrong with its value."""

    field: str
    description: str


class ServiceError(Exception):
    """Refuse or fail one request; carries what the client is told, such as in how many seconds to try again."""

    reason = "internal"

    def __init__(
        self,
        message: str,
        violations: Sequence[FieldViolation] = (),
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.violations = tuple(violations)
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after


class InvalidRequest(ServiceError):
    """Refuse a value that is out of range or fields that contradict one another."""

    reason = "invalid_option"

    @classmethod
    def field(cls, name: str, description: str, **metadata: str) -> Self:
        """Refuse one field."""
        return cls(f"{name}: {description}", [FieldViolation(name, description)], metadata)


class MalformedRequest(InvalidRequest):
    """Refuse bytes that are not the request's message."""

    reason = "malformed_request"


class EmptySource(InvalidRequest):
    """Refuse a request without anything to translate."""

    reason = "empty_source"


class SourceTooLong(InvalidRequest):
    """Refuse a source above the model's limit."""

    reason = "source_too_long"


class ModelMismatch(InvalidRequest):
    """Refuse a model that does not translate between the languages asked for."""

    reason = "model_language_mismatch"


class UnsupportedOption(InvalidRequest):
    """Refuse an option that is valid but not offered."""

    reason = "unsupported_option"


class NotServed(ServiceError):
    """Refuse a model that is not in the repository; the message lists those that are."""

    reason = "model_not_found"


class VersionNotFound(NotServed):
    """Refuse a version that is not loaded."""

    reason = "version_not_found"


class LanguagePairNotFound(NotServed):
    """Refuse languages that no loaded model translates between."""

    reason = "language_pair_not_found"


class Unavailable(ServiceError):
    """Refuse for now."""

    reason = "unavailable"


class QueueFull(Unavailable):
    """Refuse because the waiting line is full."""

    reason = "queue_full"


class DeadlineUnmeetable(Unavailable):
    """Refuse because it could not be done in time, given who waits already."""

    reason = "deadline_unmeetable"


class ClientLimit(Unavailable):
    """Refuse because this client has used its share."""

    reason = "client_limit"


class Draining(Unavailable):
    """Refuse because the server is shutting down."""

    reason = "draining"


class ModelNotReady(Unavailable):
    """Refuse because the version is being loaded."""

    reason = "model_not_ready"


class ModelRefused(ServiceError):
    """Refuse to load a version, saying what is wrong with it."""

    reason = "model_refused"


class DeadlineExceeded(ServiceError):
    """Give up because the time is over."""

    reason = "deadline_exceeded"


class Unauthenticated(ServiceError):
    """Refuse a caller who does not show a known token."""

    reason = "unauthenticated"


class PermissionDenied(ServiceError):
    """Refuse a known caller what its token does not allow."""

    reason = "permission_denied"


class InternalError(ServiceError):
    """Fail a request for a reason that is ours."""

    reason = "internal"


class StartupError(Exception):
    """Keep the server from starting."""


class BundleError(StartupError):
    """Refuse a bundle, naming the file and the reason."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why

    def __reduce__(self) -> tuple[type[Self], tuple[Path, str]]:
        """Say how to make it again, in another process."""
        return type(self), (self.path, self.why)


class ParityError(BundleError):
    """Refuse a bundle whose golden translations come out otherwise than when it was exported."""
