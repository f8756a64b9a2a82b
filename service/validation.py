"""From a raw message to a request that the core can trust; what passes here is not checked again."""

import math
from dataclasses import dataclass

from seq2serve.v1 import model_pb2, options_pb2, translation_pb2
from service.errors import (
    EmptySource,
    FieldViolation,
    InvalidRequest,
    SourceTooLong,
    UnsupportedOption,
    VersionNotFound,
)
from service.model import Model
from service.registry import Registry

LENGTH_RATIO, LENGTH_OFFSET = 2.0, 10  # a target may have 2 S + 10 pieces where nothing else is asked

# Options that this release knows by their neutral value only, which means the same as leaving them out.
NEUTRAL: dict[str, float | bool] = {
    "patience": 1,
    "length_penalty": 1,
    "coverage_penalty": 0,
    "repetition_penalty": 1,
    "no_repeat_ngram_size": 0,
    "repetition_guard": False,
    "min_length": 0,
    "disable_unknown": False,
    "replace_unknowns": False,
    "top_k": 1,
    "use_shortlist": False,
    "return_alternatives": False,
}
UNSUPPORTED = ("top_p", "temperature", "seed", "min_alternative_probability")
UNSUPPORTED_INPUT = (
    *("split_sentences", "transfer_tags", "transfer_urls", "transfer_emails"),
    *("transfer_numbers", "transfer_placeholders"),
)


@dataclass(frozen=True)
class EdgeLimits:
    """Bound what a message may ask for."""

    max_beam_size: int
    max_text_bytes: int


@dataclass(frozen=True)
class Source:
    """Hold the pieces to translate, and how many were cut off."""

    ids: list[int]
    truncated: int


def resolve(registry: Registry, ref: model_pb2.ModelRef, source_language: str, target_language: str) -> Model:
    """Find the model that a request means.

    Raises:
        InvalidRequest, NotServed, ModelMismatch: no loaded model is meant.
    """
    version: int | None = None
    match ref.WhichOneof("revision"):
        case "version":
            version = ref.version
            if version < 1:
                raise InvalidRequest.field("model.version", f"is {version}, versions count from 1")
        case "alias":
            raise VersionNotFound(f"model {ref.name!r} has no alias {ref.alias!r}: this server has no aliases")
    return registry.find(ref.name, version, source_language, target_language)


def read_source(request: translation_pb2.TranslateRequest, model: Model, limits: EdgeLimits) -> Source:
    """Take the pieces of a request's text or tokens.

    Raises:
        EmptySource: there is nothing to translate.
        SourceTooLong: it is above the model's limit, and truncation was not asked for.
    """
    if request.WhichOneof("source") == "tokens":
        if not request.tokens.pieces:
            raise EmptySource("tokens: is empty", [FieldViolation("tokens", "is empty")])
        ids = model.vocabulary.ids(request.tokens.pieces)
    else:
        size = len(request.text.encode())
        if size > limits.max_text_bytes:
            raise _too_long(f"has {size} bytes, the limit is {limits.max_text_bytes}", size, limits.max_text_bytes)
        ids = model.vocabulary.encode(request.text) if request.text.strip() else []
        if not ids:
            why = "is empty" if not request.text else "holds nothing to translate"
            raise EmptySource(f"text: {why}", [FieldViolation("text", why)])
    limit = model.manifest.limits.max_source_tokens
    if len(ids) <= limit:
        return Source(ids, 0)
    if request.input.truncate:
        return Source(ids[:limit], len(ids) - limit)
    raise _too_long(f"has {len(ids)} pieces, the limit of {model.name!r} is {limit}", len(ids), limit)


def _too_long(why: str, length: int, limit: int) -> SourceTooLong:
    violation = FieldViolation("text", why)
    return SourceTooLong(f"text: {why}", [violation], {"length": str(length), "limit": str(limit)})


def max_length(options: options_pb2.DecodeOptions, source_tokens: int, model: Model) -> int:
    """Return how many pieces the target may have.

    `max_length` alone bounds it; a ratio, or neither, bounds it by the source's length as well.
    """
    limit = model.manifest.limits.max_length
    bound = limit
    if options.HasField("max_length"):
        if not 1 <= options.max_length <= limit:
            raise InvalidRequest.field("options.max_length", f"is {options.max_length}, must be from 1 to {limit}")
        bound = options.max_length
        if not options.HasField("max_length_ratio") and not options.HasField("max_length_offset"):
            return bound
    ratio = options.max_length_ratio if options.HasField("max_length_ratio") else LENGTH_RATIO
    offset = options.max_length_offset if options.HasField("max_length_offset") else LENGTH_OFFSET
    if not (math.isfinite(ratio) and ratio >= 0):
        raise InvalidRequest.field("options.max_length_ratio", f"is {ratio}, must be a number from 0 up")
    if offset < 0:
        raise InvalidRequest.field("options.max_length_offset", f"is {offset}, must be from 0 up")
    return max(1, min(bound, math.ceil(min(ratio * source_tokens, bound)) + offset))


def check_options(request: translation_pb2.TranslateRequest, limits: EdgeLimits) -> None:
    """Refuse options that are out of range, and those that this release cannot honour.

    Raises:
        InvalidRequest: a value is out of range.
        UnsupportedOption: a value is in range but not offered yet; nothing is ever ignored.
    """
    options = request.options
    for name in ("beam_size", "num_hypotheses"):
        value = getattr(options, name)
        if options.HasField(name) and not 1 <= value <= limits.max_beam_size:
            raise InvalidRequest.field(f"options.{name}", f"is {value}, must be from 1 to {limits.max_beam_size}")
    for name in ("no_repeat_ngram_size", "min_length", "top_k"):
        if getattr(options, name) < 0:
            raise InvalidRequest.field(f"options.{name}", f"is {getattr(options, name)}, must be from 0 up")
    unsupported = [f"options.{name}" for name in ("beam_size", "num_hypotheses") if getattr(options, name) > 1]
    for name, neutral in NEUTRAL.items():
        if options.HasField(name) and getattr(options, name) != neutral:
            unsupported.append(f"options.{name}")
    unsupported += [f"options.{name}" for name in UNSUPPORTED if options.HasField(name)]
    unsupported += [f"options.{name}" for name in ("suppress_sequences", "end_tokens") if getattr(options, name)]
    unsupported += [f"input.{name}" for name in UNSUPPORTED_INPUT if getattr(request.input, name)]
    output = request.output
    if output.token_scores:
        unsupported.append("output.token_scores")
    if output.alignment not in (options_pb2.ALIGNMENT_MODE_UNSPECIFIED, options_pb2.ALIGNMENT_MODE_NONE):
        unsupported.append("output.alignment")
    if request.glossary:
        unsupported.append("glossary")
    if request.WhichOneof("prefix"):
        unsupported.append(request.WhichOneof("prefix"))
    if request.HasField("prefix_bias"):
        unsupported.append("prefix_bias")
    if request.priority:
        unsupported.append("priority")
    if unsupported:
        violations = [FieldViolation(name, "is not offered by this release") for name in unsupported]
        raise UnsupportedOption(f"not offered by this release: {', '.join(unsupported)}", violations)
