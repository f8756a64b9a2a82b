"""Builds the messages that the clients send."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from seq2serve.options import GlossaryTerm, ScoreOptions, TranslateOptions
from seq2serve.source import Item, Source, Tokens, many, named
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
_Request = translation_pb2.TranslateRequest | translation_pb2.ScoreRequest


def model_ref(model: str) -> model_pb2.ModelRef:
    """Read `NAME`, `NAME:VERSION` or `NAME:ALIAS`; empty leaves the choice to the server."""
    name, _, revision = model.partition(":")
    if not revision:
        return model_pb2.ModelRef(name=name)
    if revision.isdecimal():
        return model_pb2.ModelRef(name=name, version=int(revision))
    return model_pb2.ModelRef(name=name, alias=revision)


def translate_request(source: Source | None, options: TranslateOptions) -> translation_pb2.TranslateRequest:
    """Build the request for one text; without a source it holds the options alone.

    Raises:
        TypeError: An option that does not exist, or a value of the wrong type.
        ValueError: A value that the protocol cannot carry.
    """
    request = translation_pb2.TranslateRequest()
    if source is not None:
        _set_text(request, "text", "tokens", source)
    _set_options(request, options, TranslateOptions.__annotations__)
    return request


def batch_request(items: Iterable[Item], options: TranslateOptions) -> translation_pb2.TranslateBatchRequest:
    """Build the request for many texts, with the options once; raises as `translate_request`."""
    defaults = translate_request(None, options)
    request = translation_pb2.TranslateBatchRequest(request_id=defaults.request_id, defaults=defaults)
    request.defaults.ClearField("request_id")
    for item in many(items):
        request_id, source = named(item)
        _set_text(request.items.add(request_id=request_id), "text", "tokens", source)
    return request


def bulk_requests(options: TranslateOptions) -> Callable[[Item], translation_pb2.TranslateRequest]:
    """Return what builds the request for each text of a stream; raises as `translate_request`."""
    if options.get("request_id"):
        raise TypeError("request_id names one text: stream (request id, text) pairs instead")
    shared = translate_request(None, options)

    def build(item: Item) -> translation_pb2.TranslateRequest:
        request_id, source = named(item)
        request = translation_pb2.TranslateRequest(request_id=request_id)
        request.MergeFrom(shared)
        _set_text(request, "text", "tokens", source)
        return request

    return build


def score_request(source: Source, target: Source, options: ScoreOptions) -> translation_pb2.ScoreRequest:
    """Build the request that scores a translation; raises as `translate_request`."""
    request = translation_pb2.ScoreRequest()
    _set_text(request, "source_text", "source_tokens", source)
    _set_text(request, "target_text", "target_tokens", target)
    _set_options(request, options, ScoreOptions.__annotations__)
    return request


def _set_text(request: _Request, text_field: str, tokens_field: str, source: Source) -> None:
    if isinstance(source, Tokens):
        # Set before it is filled, so that no pieces are an empty source and not a missing one.
        getattr(request, tokens_field).SetInParent()
        getattr(request, tokens_field).pieces.extend(source.pieces)
    elif isinstance(source, str):
        setattr(request, text_field, source)
    else:
        raise TypeError(f"{source!r} is neither a string nor Tokens")


def _set_options(request: _Request, options: TranslateOptions | ScoreOptions, known: Mapping[str, object]) -> None:
    for name, value in options.items():
        if value is not None:
            try:
                if name not in known:
                    raise TypeError("there is no such option")
                _set(request, name, value)
            except TypeError as error:
                raise TypeError(f"{name}={value!r}: {error}") from None
            except ValueError as error:
                raise ValueError(f"{name}={value!r}: {error}") from None


def _set(request: Any, name: str, value: Any) -> None:
    if name in _SECTION_OF:
        _set_in_section(getattr(request, _SECTION_OF[name]), name, value)
    elif name == "model":
        if value:
            request.model.CopyFrom(model_ref(value))
    elif name == "glossary":
        terms = value.items() if isinstance(value, Mapping) else value
        request.glossary.extend(translation_pb2.GlossaryTerm(**GlossaryTerm(*term)._asdict()) for term in terms)
    elif name in ("target_prefix", "target_prefix_tokens"):
        if request.WhichOneof("prefix"):
            raise ValueError("a prefix is text or tokens, not both")
        prefix: Source = value if name == "target_prefix" else Tokens(value)
        _set_text(request, "target_prefix", "target_prefix_tokens", prefix)
    else:
        setattr(request, name, value)


def _set_in_section(section: Any, name: str, value: Any) -> None:
    if name == "suppress_sequences":
        section.suppress_sequences.extend(options_pb2.Tokens(pieces=Tokens(pieces).pieces) for pieces in value)
    elif name == "end_tokens":
        section.end_tokens.extend(Tokens(value).pieces)
    elif name == "alignment":
        section.alignment = options_pb2.AlignmentMode.Value(f"ALIGNMENT_MODE_{value.upper()}")
    elif name == "alignment_unit":
        section.alignment_unit = options_pb2.AlignmentUnit.Value(f"ALIGNMENT_UNIT_{value.upper()}")
    else:
        setattr(section, name, value)
