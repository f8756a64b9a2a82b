"""The one table from reasons to gRPC status codes, and the details that travel with an error."""

from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import StatusCode

from service.errors import ServiceError

DOMAIN = "seq2serve"
REASON_KEY = "seq2serve-reason"
REQUEST_ID_KEY = "seq2serve-request-id"

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
    "queue_full": StatusCode.RESOURCE_EXHAUSTED,
    "unavailable": StatusCode.UNAVAILABLE,
    "draining": StatusCode.UNAVAILABLE,
    "unauthenticated": StatusCode.UNAUTHENTICATED,
    "permission_denied": StatusCode.PERMISSION_DENIED,
    "internal": StatusCode.INTERNAL,
}


def details(error: ServiceError) -> bytes:
    """Serialize an error as google.rpc.Status with ErrorInfo and, where fields are at fault, BadRequest."""
    parts = [error_details_pb2.ErrorInfo(reason=error.reason.upper(), domain=DOMAIN, metadata=error.metadata)]
    if error.violations:
        faults = [
            error_details_pb2.BadRequest.FieldViolation(field=violation.field, description=violation.description)
            for violation in error.violations
        ]
        parts.append(error_details_pb2.BadRequest(field_violations=faults))
    packed = []
    for part in parts:
        packed.append(any_pb2.Any())
        packed[-1].Pack(part)
    code = code_pb2.Code.Value(CODES[error.reason].name)
    serialized: bytes = status_pb2.Status(code=code, message=error.message, details=packed).SerializeToString()
    return serialized
