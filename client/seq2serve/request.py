"""Builds the messages that the clients send."""

from __future__ import annotations

from typing import Any

from seq2serve.options import TranslateOptions
from seq2serve.v1 import model_pb2, options_pb2, translation_pb2

# The three option messages share no field name (a test holds them to it), so that a caller writes
# `beam_size=5, scores=True` and need not know which message a name belongs to.
_SECTION_OF = {
    field.name: section
    for section, message in (
        ("input", options_pb2.InputOptions),
        ("options", options_pb2.DecodeOptions),
        ("output", options_pb2.OutputOptions),
    )
    for field in message.DESCRIPTOR.fields
}
_OWN_FIELDS = frozenset({"request_id", "priority", "target_prefix", "prefix_bias"})


def model_ref(model: str) -> model_pb2.ModelRef:
    """Read `NAME`, `NAME:VERSION` or `NAME:ALIAS`; empty leaves the choice to the server."""
    name, _, revision = model.partition(":")
    if not revision:
        return model_pb2.ModelRef(name=name)
    if revision.isdecimal():
        return model_pb2.ModelRef(name=name, version=int(revision))
    return model_pb2.ModelRef(name=name, alias=revision)


def translate_request(
    text: str,
    *,
    model: str,
    source_language: str,
    target_language: str,
    options: TranslateOptions,
) -> translation_pb2.TranslateRequest:
    """Build the request for one text.

    Raises:
        TypeError: An option that does not exist, or a value of the wrong type.
        ValueError: A value that the protocol cannot carry.
    """
    request = translation_pb2.TranslateRequest(
        text=text, source_language=source_language, target_language=target_language
    )
    if model:
        request.model.CopyFrom(model_ref(model))
    for name, value in options.items():
        if value is not None:
            try:
                _set(request, name, value)
            except TypeError as error:
                raise TypeError(f"{name}={value!r}: {error}") from None
            except ValueError as error:
                raise ValueError(f"{name}={value!r}: {error}") from None
    return request


def _set(request: translation_pb2.TranslateRequest, name: str, value: Any) -> None:
    if name in _OWN_FIELDS:
        setattr(request, name, value)
        return
    if name == "glossary":
        for source, target in value.items():
            request.glossary.add(source=source, target=target)
        return
    if name not in _SECTION_OF:
        raise TypeError("there is no such option")
    section = getattr(request, _SECTION_OF[name])
    if name == "suppress_sequences":
        section.suppress_sequences.extend(options_pb2.Tokens(pieces=pieces) for pieces in value)
    elif name == "end_tokens":
        section.end_tokens.extend(value)
    elif name == "alignment":
        section.alignment = options_pb2.AlignmentMode.Value(f"ALIGNMENT_MODE_{value.upper()}")
    elif name == "alignment_unit":
        section.alignment_unit = options_pb2.AlignmentUnit.Value(f"ALIGNMENT_UNIT_{value.upper()}")
    else:
        setattr(section, name, value)
