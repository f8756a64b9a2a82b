"""Bytes on the wire of any message type, tame or hostile, drawn from its descriptor: no field is left out."""

import struct
from collections.abc import Callable

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import strategies as st

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # wire types
START, END = 0x0B, 0x0C  # of a group, field 1
Bytes = st.SearchStrategy[bytes]
# What requests are about: most of it is taken, so that what is hostile gets past the first check.
WORDS = (
    "en",
    "de",
    "en-de",
    "de-AT",
    "fr",
    "Tom is here.",
    "▁Ich",
    "▁ist",
    ".",
    "</s>",
    "<unk>",
    "{name}",
    "<b>x</b>",
    "7",
)
TAME_NUMBERS = (0, 1, 1, 1, 2, 3, 5, 12)
TAME_FLOATS = (0.0, 0.1, 0.5, 0.9, 1.0, 1.0, 2.0)
HOSTILE_NUMBERS = (
    -1,
    13,
    255,
    256,
    257,
    1 << 16,
    (1 << 31) - 1,
    -(1 << 31),
    1 << 31,
    (1 << 63) - 1,
    -(1 << 63),
    (1 << 64) - 1,
)
HOSTILE_FLOATS = (
    float("nan"),
    float("inf"),
    float("-inf"),
    -0.0,
    -1.0,
    1e-45,
    1e-38,
    3.4e38,
    0.9999999,
    1.0000001,
    1000.0,
)
HOSTILE_TEXTS = (
    b"", b" ", b"\0", b"\r\n", "\u202e\u200b".encode(), "e\u0301\u0302".encode() * 40, "\U0001d56c\U0010ffff".encode(),
    b"<b>" * 60, b"</i><i", b"{{{%s%d}}}", b"a@b.c " * 20, b"http://" + b"x" * 300, b"9" * 400, b"../../etc/passwd",
    "▁".encode() * 300, b"A. " * 150, b"x" * 5000, "田".encode() * 2000,
)  # fmt: skip
NOT_UTF8 = (b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x96")
HUGE = b"word " * 14_000  # above what a request's text may have


def varint(number: int) -> bytes:
    """Encode a number, as 64 bits in two's complement."""
    number &= (1 << 64) - 1
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes([*encoded, number])


def field(number: int, wire_type: int, payload: bytes) -> bytes:
    """Encode one field; what is of no fixed length gets its length in front."""
    length = varint(len(payload)) if wire_type == LENGTH else b""
    return varint(number << 3 | wire_type) + length + payload


def fields(descriptor: Descriptor, hostile: bool, most: int = 5) -> Bytes:
    """Draw up to `most` fields of a message, in any order, any of them more than once."""
    known = st.sampled_from(tuple(descriptor.fields)).flatmap(lambda one: _field(one, hostile))
    return st.lists(st.one_of(known, known, known, _foreign()) if hostile else known, max_size=most).map(b"".join)


def _field(one: FieldDescriptor, hostile: bool) -> Bytes:
    if one.message_type is not None:
        inner = fields(one.message_type, hostile)
        return inner.map(lambda payload: field(one.number, LENGTH, payload))
    wire_type, tame, wild = _KINDS[one.type]
    values = st.one_of(tame, tame, wild) if hostile else tame
    if one.is_repeated and wire_type != LENGTH:  # packed, as proto3 writes it
        return st.lists(values, max_size=3).map(lambda many: field(one.number, LENGTH, b"".join(many)))
    return values.map(lambda payload: field(one.number, wire_type, payload))


def _foreign() -> Bytes:
    """Draw a field that no message has, or that has another wire type there."""
    payloads = {
        VARINT: st.sampled_from(HOSTILE_NUMBERS).map(varint),
        FIXED64: st.binary(min_size=8, max_size=8),
        LENGTH: st.binary(max_size=20),
        FIXED32: st.binary(min_size=4, max_size=4),
    }
    numbers = st.one_of(st.integers(1, 40), st.sampled_from([19_000, (1 << 29) - 1]))
    whole = st.sampled_from(sorted(payloads)).flatmap(
        lambda kind: st.tuples(numbers, payloads[kind]).map(lambda drawn: field(drawn[0], kind, drawn[1]))
    )
    groups = st.integers(1, 200).map(lambda depth: bytes([START] * depth + [END] * depth))
    return st.one_of(whole, whole, whole, groups)


def _numbers(encode: Callable[[int], bytes]) -> tuple[Bytes, Bytes]:
    wild = st.one_of(st.sampled_from(HOSTILE_NUMBERS), st.integers(-(1 << 63), (1 << 64) - 1))
    return st.sampled_from(TAME_NUMBERS).map(encode), wild.map(encode)


def _floats(layout: str) -> tuple[Bytes, Bytes]:
    def pack(value: float) -> bytes:
        return struct.pack(layout, value)

    return st.sampled_from(TAME_FLOATS).map(pack), st.one_of(
        st.sampled_from(HOSTILE_FLOATS).map(pack),
        st.binary(min_size=struct.calcsize(layout), max_size=struct.calcsize(layout)),
    )


def _texts() -> tuple[Bytes, Bytes]:
    tame = st.sampled_from(WORDS).map(str.encode)
    long = st.integers(0, 99).map(lambda one: HUGE if not one else b"long enough")
    text = st.text(st.characters(codec="utf-8"), max_size=40).map(str.encode)
    return tame, st.one_of(*[st.sampled_from(HOSTILE_TEXTS), text] * 3, st.sampled_from(NOT_UTF8), long)


_D = FieldDescriptor
_KINDS: dict[int, tuple[int, Bytes, Bytes]] = {
    **{
        kind: (VARINT, *_numbers(varint))
        for kind in (_D.TYPE_INT32, _D.TYPE_INT64, _D.TYPE_UINT64, _D.TYPE_BOOL, _D.TYPE_ENUM)
    },
    _D.TYPE_FLOAT: (FIXED32, *_floats("<f")),
    _D.TYPE_DOUBLE: (FIXED64, *_floats("<d")),
    _D.TYPE_STRING: (LENGTH, *_texts()),
}


def mutations(messages: Bytes) -> Bytes:
    """Damage encoded messages: flipped bits, cuts, repetitions, and a piece of one in another."""

    @st.composite
    def damaged(draw: st.DrawFn) -> bytes:
        found = draw(messages)
        for _ in range(draw(st.integers(1, 3))):
            start, end = sorted((draw(st.integers(0, len(found))), draw(st.integers(0, len(found)))))
            before, part, after = found[:start], found[start:end], found[end:]
            part = {
                "flip": bytes(byte ^ 1 << draw(st.integers(0, 7)) for byte in part[:1]) + part[1:],
                "cut": b"",
                "truncate": part,
                "repeat": part * draw(st.integers(2, 20)),
                "splice": draw(messages)[start:],
                "noise": draw(st.binary(max_size=9)),
            }[how := draw(st.sampled_from(["flip", "cut", "truncate", "repeat", "splice", "noise"]))]
            found = before + part + (b"" if how == "truncate" else after)
        return found

    return damaged()
