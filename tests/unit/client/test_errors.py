import collections

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from seq2serve import Client, FieldViolation, errors

REASONS = {
    "malformed_request": (grpc.StatusCode.INVALID_ARGUMENT, errors.MalformedRequest),
    "empty_source": (grpc.StatusCode.INVALID_ARGUMENT, errors.EmptySource),
    "source_too_long": (grpc.StatusCode.INVALID_ARGUMENT, errors.SourceTooLong),
    "invalid_option": (grpc.StatusCode.INVALID_ARGUMENT, errors.InvalidOption),
    "model_language_mismatch": (grpc.StatusCode.INVALID_ARGUMENT, errors.ModelLanguageMismatch),
    "model_not_found": (grpc.StatusCode.NOT_FOUND, errors.ModelNotFound),
    "version_not_found": (grpc.StatusCode.NOT_FOUND, errors.VersionNotFound),
    "language_pair_not_found": (grpc.StatusCode.NOT_FOUND, errors.LanguagePairNotFound),
    "unsupported_option": (grpc.StatusCode.FAILED_PRECONDITION, errors.UnsupportedOption),
    "deadline_exceeded": (grpc.StatusCode.DEADLINE_EXCEEDED, errors.DeadlineExceeded),
    "cancelled": (grpc.StatusCode.CANCELLED, errors.Cancelled),
    "unauthenticated": (grpc.StatusCode.UNAUTHENTICATED, errors.Unauthenticated),
    "permission_denied": (grpc.StatusCode.PERMISSION_DENIED, errors.PermissionDenied),
    "unimplemented": (grpc.StatusCode.UNIMPLEMENTED, errors.Unimplemented),
    "internal": (grpc.StatusCode.INTERNAL, errors.InternalError),
}
# Each of these would cost the time of three retries, and the way from reason to class is the same.
RETRIED = {
    "queue_full": (grpc.StatusCode.RESOURCE_EXHAUSTED, errors.QueueFull),
    "deadline_unmeetable": (grpc.StatusCode.RESOURCE_EXHAUSTED, errors.DeadlineUnmeetable),
    "client_limit": (grpc.StatusCode.RESOURCE_EXHAUSTED, errors.ClientLimit),
    "draining": (grpc.StatusCode.UNAVAILABLE, errors.Draining),
    "model_not_ready": (grpc.StatusCode.UNAVAILABLE, errors.ModelNotReady),
}


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_has_its_class(client, server, reason: str) -> None:
    code, kind = REASONS[reason]
    server.every = server.failing(code, reason, "the message")
    with pytest.raises(errors.Seq2ServeError) as caught:
        client.translate("a")
    assert type(caught.value) is kind
    assert str(caught.value) == "the message"
    assert caught.value.reason == reason
    assert caught.value.code is code
    assert caught.value.request_id == "request-7"


def test_the_classes_declare_what_the_server_sends() -> None:
    for reason, (code, kind) in (REASONS | RETRIED).items():
        assert (kind.reason, kind.code) == (reason, code)


def test_the_tree_is_drawn_as_it_is() -> None:
    def names(kind: type) -> list[str]:
        return [kind.__name__] + [n for child in kind.__subclasses__() for n in names(child)]

    drawn = [line.strip(" │├└─").split()[0] for line in errors.__doc__.splitlines() if line.startswith("    ")]
    assert drawn == names(errors.Seq2ServeError)


def test_a_reason_of_a_newer_server_keeps_its_word(client, server) -> None:
    server.every = server.failing(grpc.StatusCode.INVALID_ARGUMENT, "too_rude")
    with pytest.raises(errors.InvalidRequest) as caught:
        client.translate("a")
    assert type(caught.value) is errors.InvalidRequest
    assert caught.value.reason == "too_rude"


def test_without_a_reason_the_code_decides(client, server) -> None:
    server.every = lambda _, context: context.abort(grpc.StatusCode.PERMISSION_DENIED, "a proxy")
    with pytest.raises(errors.PermissionDenied, match="a proxy") as caught:
        client.translate("a")
    assert caught.value.request_id == ""


def test_an_exception_in_the_server_is_an_error_too(client, server) -> None:
    server.every = lambda *_: 1 / 0
    with pytest.raises(errors.Seq2ServeError) as caught:
        client.translate("a")
    assert caught.value.code is grpc.StatusCode.UNKNOWN


def test_unreachable_names_the_address(dead_address: str) -> None:
    with (
        Client(dead_address) as client,
        pytest.raises(errors.ServerUnreachable, match=dead_address) as caught,
    ):
        client.translate("a")
    assert isinstance(caught.value, errors.Unavailable)


def test_a_bulk_that_outlives_its_connection_is_told_so(aging_server) -> None:
    """It had answers, so nobody says that no server answers."""
    texts = iter(lambda: "a", "")  # without end
    with Client(aging_server.address) as client, pytest.raises(errors.Unavailable, match="has closed") as caught:
        collections.deque(client.translate_bulk(texts, in_flight=1), maxlen=0)
    assert type(caught.value) is errors.Unavailable
    assert aging_server.address in str(caught.value)
    assert aging_server.bulk_requests


def with_details(serialized: bytes):
    """Fail with this in the trailer that gRPC has for details."""

    def fail(_, context):
        context.set_trailing_metadata((("seq2serve-reason", "invalid_option"), ("grpc-status-details-bin", serialized)))
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")

    return fail


def test_fields_at_fault_and_when_to_try_again(client, server) -> None:
    """The client reads google.rpc's details although it does not need their package."""
    fault = error_details_pb2.BadRequest.FieldViolation(field="options.beam_size", description="1 to 12")
    status = status_pb2.Status(code=3, message="no")
    for detail in (
        error_details_pb2.ErrorInfo(reason="INVALID_OPTION", domain="seq2serve"),
        error_details_pb2.BadRequest(field_violations=[fault]),
        error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=1, nanos=500_000_000)),
    ):
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    server.every = with_details(status.SerializeToString())
    with pytest.raises(errors.InvalidOption) as caught:
        client.translate("a")
    assert caught.value.field_violations == (FieldViolation("options.beam_size", "1 to 12"),)
    assert caught.value.retry_after == 1.5


def test_details_that_cannot_be_read_hide_nothing(client, server) -> None:
    server.every = with_details(b"\xff\xff")
    with pytest.raises(errors.InvalidOption, match="no") as caught:
        client.translate("a")
    assert (caught.value.field_violations, caught.value.retry_after) == ((), None)
