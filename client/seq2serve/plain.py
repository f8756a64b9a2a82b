"""Protobuf messages as plain Python values, for results and for JSON."""

from __future__ import annotations

import struct
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp


def seconds(duration: Duration) -> float:
    """Return a duration in seconds."""
    return duration.ToNanoseconds() / 1e9


def enum_word(kind: EnumDescriptor, number: int) -> str:
    """Return an enum value as a lower-case word without its prefix, such as `eos`.

    A value that only a newer server knows becomes its number.
    """
    value = kind.values_by_number.get(number)
    if value is None:
        return str(number)
    prefix = kind.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return value.name.removeprefix(prefix).lower()


def as_dict(message: Message) -> dict[str, Any]:
    """Return a message's fields by name, with durations in seconds and enums as words.

    Left out are lists that are empty and fields with presence that are not set. Protobuf's own JSON
    writes 64-bit numbers as strings and durations as "0.5s", which every reader would have to undo.
    """
    fields: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.is_repeated:
            if value:
                fields[field.name] = [_plain(field, item) for item in value]
        elif not field.has_presence or message.HasField(field.name):
            fields[field.name] = _plain(field, value)
    return fields


def _plain(field: Any, value: Any) -> Any:
    if isinstance(value, Duration):
        return seconds(value)
    if isinstance(value, Timestamp):
        return value.ToJsonString()
    if isinstance(value, Message):
        return as_dict(value)
    if field.enum_type is not None:
        return enum_word(field.enum_type, value)
    if field.type == FieldDescriptor.TYPE_FLOAT:
        return _shortest(value)
    return value


def _shortest(value: float) -> float:
    """Return the shortest number that is the same in 32 bits: -0.2, not -0.200000003."""
    stored = struct.pack("f", value)
    return next(
        (short for digits in range(6, 9) if struct.pack("f", short := float(f"{value:.{digits}g}")) == stored),
        value,
    )
