"""The details that travel with a failed call: google.rpc.Status in its binary trailer."""

from __future__ import annotations

from typing import Any, NamedTuple

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    message,
    message_factory,
    text_format,
)

from seq2serve.plain import seconds

TRAILER = "grpc-status-details-bin"

# The parts of google/rpc/status.proto and error_details.proto that are read here; their package would
# be one more dependency of every user.
_FILE = """
name: "seq2serve/details.proto" package: "google.rpc" syntax: "proto3"
dependency: "google/protobuf/any.proto"
dependency: "google/protobuf/duration.proto"
message_type {
  name: "Status"
  field { name: "details" number: 3 label: LABEL_REPEATED type: TYPE_MESSAGE type_name: ".google.protobuf.Any" }
}
message_type {
  name: "BadRequest"
  nested_type {
    name: "FieldViolation"
    field { name: "field" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
    field { name: "description" number: 2 label: LABEL_OPTIONAL type: TYPE_STRING }
  }
  field {
    name: "field_violations" number: 1 label: LABEL_REPEATED
    type: TYPE_MESSAGE type_name: ".google.rpc.BadRequest.FieldViolation"
  }
}
message_type {
  name: "RetryInfo"
  field {
    name: "retry_delay" number: 1 label: LABEL_OPTIONAL
    type: TYPE_MESSAGE type_name: ".google.protobuf.Duration"
  }
}
"""


class FieldViolation(NamedTuple):
    """A field of a request that is at fault: its path, and what is wrong and what is allowed."""

    field: str
    description: str


class Details(NamedTuple):
    """What a failure tells besides its code and message; `retry_after` is in seconds."""

    field_violations: tuple[FieldViolation, ...] = ()
    retry_after: float | None = None


def details_from(serialized: bytes) -> Details:
    """Read the trailer; what cannot be read counts as not sent, the error is known without it."""
    violations: tuple[FieldViolation, ...] = ()
    retry_after = None
    try:
        for packed in _STATUS.FromString(serialized).details:
            if packed.Is(_BAD_REQUEST.DESCRIPTOR):
                faults = _BAD_REQUEST.FromString(packed.value).field_violations
                violations = tuple(FieldViolation(fault.field, fault.description) for fault in faults)
            elif packed.Is(_RETRY_INFO.DESCRIPTOR):
                retry_after = seconds(_RETRY_INFO.FromString(packed.value).retry_delay)
    except message.DecodeError:
        return Details()
    return Details(violations, retry_after)


def _classes() -> list[Any]:
    # A pool of its own, so that the real package may be loaded beside it.
    pool = descriptor_pool.DescriptorPool()
    for known in (any_pb2.DESCRIPTOR, duration_pb2.DESCRIPTOR):
        pool.AddSerializedFile(known.serialized_pb)
    pool.AddSerializedFile(text_format.Parse(_FILE, descriptor_pb2.FileDescriptorProto()).SerializeToString())
    names = ("Status", "BadRequest", "RetryInfo")
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(f"google.rpc.{name}")) for name in names]


_STATUS, _BAD_REQUEST, _RETRY_INFO = _classes()
