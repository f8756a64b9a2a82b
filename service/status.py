"""The one table from reasons to gRPC status codes, and the details that travel with an error."""

from datetime import timedelta

from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import StatusCode

from service.errors import ServiceError

DOMAIN = "seq2serve"
REASON_KEY = "seq2serve-reason"
REQUEST_ID_KEY = "seq2serve-request-id"
CLIENT_KEY = "seq2serve-client"
REPLICA_KEY = "seq2serve-replica"  # which server of many answered
PUSHBACK_KEY = "grpc-retry-pushback-ms"  # which clients with a retry policy obey

CODES = {
    "malformed_request": StatusCode.INVALID_ARGUMENT,
    "empty_source": StatusCode.INVALID_ARGUMENT,
    "source_too_long": StatusCode.INVALID_ARGUMENT,
    "invalid_option": StatusCode.INVALID_ARGUMENT,
    "model_language_mismatch": StatusCode.INVALID_ARGUMENT,
    "model_not_found": StatusCode.NOT_FOUND,
    "version_not_found": StatusCode.NOT_FOUND,
    "language_pair_not_found": StatusCode.NOT_FOUND,
    "unsupported_option": StatusCode.FAILED_PRECONDITION,
    "model_refused": StatusCode.FAILED_PRECONDITION,
    "queue_full": StatusCode.RESOURCE_EXHAUSTED,
    "deadline_unmeetable": StatusCode.RESOURCE_EXHAUSTED,
    "client_limit": StatusCode.RESOURCE_EXHAUSTED,
    "unavailable": StatusCode.UNAVAILABLE,
    "draining": StatusCode.UNAVAILABLE,
    "model_not_ready": StatusCode.UNAVAILABLE,
    "deadline_exceeded": StatusCode.DEADLINE_EXCEEDED,
    "unauthenticated": StatusCode.UNAUTHENTICATED,
    "permission_denied": StatusCode.PERMISSION_DENIED,
    "internal": StatusCode.INTERNAL,
}


def details(error: ServiceError) -> bytes:
    """Serialize an error as google.rpc.Status with ErrorInfo and, where there is cause, BadRequest and RetryInfo."""
    parts: list[Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason.upper(), domain=DOMAIN, metadata=error.metadata)
    ]
    if error.violations:
        faults = [
            error_details_pb2.BadRequest.FieldViolation(field=violation.field, description=violation.description)
            for violation in error.violations
        ]
        parts.append(error_details_pb2.BadRequest(field_violations=faults))
    if error.retry_after is not None:
        delay = Duration()
        delay.FromTimedelta(timedelta(seconds=error.retry_after))
        parts.append(error_details_pb2.RetryInfo(retry_delay=delay))
    packed = []
    for part in parts:
        packed.append(any_pb2.Any())
        packed[-1].Pack(part)
    code = code_pb2.Code.Value(CODES[error.reason].name)
    serialized: bytes = status_pb2.Status(code=code, message=error.message, details=packed).SerializeToString()
    return serialized
