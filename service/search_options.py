"""From the options of a message to those of the search; what passes here is not checked again."""

import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from seq2serve.v1 import options_pb2, translation_pb2
from service.errors import FieldViolation, InvalidRequest, UnsupportedOption, quoted
from service.limits import EdgeLimits, check_size
from service.model import Model
from service.options import Ids, Sampling, SearchOptions

LENGTH_RATIO, LENGTH_OFFSET = 2.0, 10  # a target may have 2 S + 10 pieces where nothing else is asked
MAX_SUPPRESSED = 1000  # sequences
MAX_SUPPRESSED_PIECES = 10_000  # of all sequences
MAX_END_TOKENS = 100
Decode = options_pb2.DecodeOptions
# Fields of a message that SearchOptions has under the same names.
ALIKE = (
    *("beam_size", "num_hypotheses", "patience", "length_penalty", "coverage_penalty", "repetition_penalty"),
    *("no_repeat_ngram_size", "repetition_guard", "min_length", "disable_unknown", "min_alternative_probability"),
)


@dataclass(frozen=True)
class Range:
    """Bound a number; `above` leaves the least value itself out, `below` the greatest."""

    least: float
    greatest: float
    above: bool = False
    below: bool = False

    def check(self, name: str, value: float) -> None:
        """Refuse a value outside.

        Raises:
            InvalidRequest: names the field, the value and what is allowed.
        """
        low = self.least < value if self.above else self.least <= value
        high = value < self.greatest if self.below else value <= self.greatest
        if not (low and high):  # which a NaN is not either
            allowed = f"from {self.least} to {self.greatest}"
            if self.above:
                allowed = f"above {self.least} and at most {self.greatest}"
            if self.below:
                allowed = f"at least {self.least} and below {self.greatest}"
            raise InvalidRequest.field(name, f"is {value}, must be {allowed}")


RANGES = {
    "patience": Range(0, 1000, above=True),
    "length_penalty": Range(0, 10),
    "coverage_penalty": Range(0, 10),
    "repetition_penalty": Range(0, 10, above=True),
    "no_repeat_ngram_size": Range(0, 100),
    "max_length_ratio": Range(0, 100, above=True),
    "temperature": Range(0, 100, above=True),
    "top_p": Range(0, 1, above=True),
    "min_alternative_probability": Range(0, 1),
}


def read_options(request: translation_pb2.TranslateRequest, model: Model, limits: EdgeLimits) -> dict[str, Any]:
    """Read and check how to search, as the fields of SearchOptions that differ from its defaults.

    Raises:
        InvalidRequest: a value is out of range, or contradicts another.
        UnsupportedOption: the model cannot do it.
    """
    if request.priority:
        Range(-10, 10).check("priority", request.priority)
    fields = _prefix(request, model, limits)
    if not request.HasField("options"):
        return fields
    options = request.options
    given = {
        field.name: exact(value) if field.type == field.TYPE_FLOAT else value for field, value in options.ListFields()
    }
    sizes = {
        "beam_size": Range(1, model.max_hypotheses),
        "num_hypotheses": Range(1, model.max_hypotheses),
        "min_length": Range(0, model.manifest.limits.max_length),
        "max_length": Range(1, model.manifest.limits.max_length),
        "max_length_offset": Range(0, model.manifest.limits.max_length),
        "top_k": Range(0, model.manifest.vocabulary.size),
    }
    for name, bounds in (RANGES | sizes).items():
        if name in given:
            bounds.check(f"options.{name}", given[name])
    if options.use_shortlist:
        raise unsupported(model, "options.use_shortlist", "has no shortlist")
    if options.coverage_penalty > 0:
        need_attention(model, "options.coverage_penalty")
    if request.input.split_sentences and options.num_hypotheses > 1:
        why = f"is {options.num_hypotheses}, must be 1 with input.split_sentences"
        raise InvalidRequest.field("options.num_hypotheses", why)
    sampling = _sampling(options)
    _check_hypotheses(options, sampling)
    return fields | {
        **{name: given[name] for name in ALIKE if name in given},
        "sampling": sampling,
        "alternatives": options.return_alternatives,
        "suppressed": _suppressed(options, model),
        "end_ids": _end_ids(options, model),
    }


def exact(value: float) -> float:
    """Return the number that was written where 32 bits carried it: 1.1, not 1.10000002."""
    return float(str(numpy.float32(value)))


def max_length(options: Decode, source_tokens: int, model: Model) -> int:
    """Return how many pieces the target of a source may have.

    `max_length` alone bounds it; a ratio, or neither, bounds it by the source's length as well.
    """
    bound = options.max_length or model.manifest.limits.max_length
    related = options.HasField("max_length_ratio") or options.HasField("max_length_offset")
    if options.HasField("max_length") and not related:
        return bound
    ratio = exact(options.max_length_ratio) if options.HasField("max_length_ratio") else LENGTH_RATIO
    offset = options.max_length_offset if options.HasField("max_length_offset") else LENGTH_OFFSET
    return max(1, min(bound, math.ceil(ratio * source_tokens) + offset))


def need_attention(model: Model, field: str) -> None:
    """Refuse what only a model with attention can do.

    Raises:
        UnsupportedOption: names the field and the model.
    """
    if not model.has_attention:
        raise unsupported(model, field, "has no attention")


def unsupported(model: Model, field: str, why: str) -> UnsupportedOption:
    """Say that a model cannot honour a field."""
    return UnsupportedOption(f"{field}: {model.name!r} {why}", [FieldViolation(field, f"{model.name!r} {why}")])


def _sampling(options: Decode) -> Sampling | None:
    asked = options.HasField("temperature") or options.HasField("top_p")
    if not asked and (not options.HasField("top_k") or options.top_k == 1):
        if options.HasField("seed"):
            raise InvalidRequest.field("options.seed", "needs sampling: set top_k, top_p or temperature")
        return None
    return Sampling(
        temperature=exact(options.temperature) if options.HasField("temperature") else 1.0,
        top_k=options.top_k,
        top_p=exact(options.top_p) if options.HasField("top_p") else 1.0,
        seed=options.seed if options.HasField("seed") else secrets.randbits(64),
    )


def _check_hypotheses(options: Decode, sampling: Sampling | None) -> None:
    beam, wanted = options.beam_size or 1, options.num_hypotheses or 1
    if beam > 1 and sampling:
        raise InvalidRequest.field("options.beam_size", f"is {beam}, sampling needs 1")
    if beam > 1 and options.return_alternatives:
        raise InvalidRequest.field("options.beam_size", f"is {beam}, return_alternatives needs 1")
    if sampling and options.return_alternatives:
        raise InvalidRequest.field("options.return_alternatives", "cannot be combined with sampling")
    if wanted > beam and not sampling and not options.return_alternatives:
        raise InvalidRequest.field(
            "options.num_hypotheses",
            f"is {wanted}, must be at most beam_size ({beam}) without sampling or alternatives",
        )
    if options.HasField("min_alternative_probability") and not options.return_alternatives:
        raise InvalidRequest.field("options.min_alternative_probability", "needs return_alternatives")


def _prefix(request: translation_pb2.TranslateRequest, model: Model, limits: EdgeLimits) -> dict[str, Any]:
    kind = request.WhichOneof("prefix")
    if kind is None:
        if request.HasField("prefix_bias"):
            raise InvalidRequest.field("prefix_bias", "needs a target_prefix")
        return {}
    if request.input.split_sentences:
        raise InvalidRequest.field(kind, "cannot be combined with input.split_sentences")
    Range(0, 1, below=True).check("prefix_bias", request.prefix_bias)
    if request.prefix_bias and request.options.return_alternatives:
        raise InvalidRequest.field("prefix_bias", "must be 0 with return_alternatives")
    check_size(kind, request.target_prefix, limits)
    pieces, limit = request.target_prefix_tokens.pieces, model.manifest.limits.max_length
    if len(pieces) > limit:
        raise InvalidRequest.field(kind, f"has {len(pieces)} pieces, the limit of {model.name!r} is {limit}")
    ids = model.vocabulary.encode(request.target_prefix) if kind == "target_prefix" else model.vocabulary.ids(pieces)
    if kind == "target_prefix_tokens":
        check_pieces(kind, pieces, ids, model)
    if request.prefix_bias and not ids:
        raise InvalidRequest.field("prefix_bias", f"needs a prefix, {kind} is empty")
    return {"prefix": tuple(ids), "prefix_bias": exact(request.prefix_bias)}


def check_pieces(field: str, pieces: Sequence[str], ids: Sequence[int], model: Model) -> Ids:
    """Refuse pieces that are signs for the model and no text.

    Raises:
        InvalidRequest: there is such a piece; names it.
    """
    special = model.manifest.special_ids
    for piece, number in zip(pieces, ids, strict=True):
        if number in (special.pad, special.bos, special.eos):
            raise InvalidRequest.field(field, f"holds {quoted(piece)}, which is no text")
    return tuple(ids)


def check_lengths(request: translation_pb2.TranslateRequest, options: SearchOptions) -> None:
    """Refuse what contradicts the bound on the target's length, once that is known.

    Raises:
        InvalidRequest: the prefix, or the least length, is above it.
    """
    if options.min_length > options.max_length and not request.input.split_sentences:
        why = f"is {options.min_length}, max_length is {options.max_length}"
        raise InvalidRequest.field("options.min_length", why)
    if len(options.prefix) > options.max_length:
        why = f"has {len(options.prefix)} pieces, max_length is {options.max_length}"
        raise InvalidRequest.field(request.WhichOneof("prefix") or "prefix", why)


def _end_ids(options: Decode, model: Model) -> Ids:
    if len(options.end_tokens) > MAX_END_TOKENS:
        raise InvalidRequest.field("options.end_tokens", f"has {len(options.end_tokens)}, at most {MAX_END_TOKENS}")
    ids = dict.fromkeys(_known("options.end_tokens", options.end_tokens, model))
    return tuple(piece for piece in ids if piece != model.manifest.special_ids.eos)


def _suppressed(options: Decode, model: Model) -> tuple[Ids, ...]:
    sequences = options.suppress_sequences
    if len(sequences) > MAX_SUPPRESSED:
        raise InvalidRequest.field("options.suppress_sequences", f"has {len(sequences)}, at most {MAX_SUPPRESSED}")
    total = sum(len(sequence.pieces) for sequence in sequences)
    if total > MAX_SUPPRESSED_PIECES:
        why = f"has {total} pieces, at most {MAX_SUPPRESSED_PIECES}"
        raise InvalidRequest.field("options.suppress_sequences", why)
    longest = model.manifest.limits.max_length
    found = []
    for i, sequence in enumerate(sequences):
        field = f"options.suppress_sequences[{i}]"
        if not 1 <= len(sequence.pieces) <= longest:
            raise InvalidRequest.field(field, f"has {len(sequence.pieces)} pieces, must be from 1 to {longest}")
        found.append(_known(field, sequence.pieces, model))
    return tuple(dict.fromkeys(found))


def _known(field: str, pieces: Sequence[str], model: Model) -> Ids:
    """Look up pieces that must be in the vocabulary, as nothing else could ever match."""
    ids = model.vocabulary.ids(pieces)
    unknown = model.vocabulary.pieces([model.vocabulary.unknown_id])[0]
    for piece, number in zip(pieces, ids, strict=True):
        if number == model.vocabulary.unknown_id and piece != unknown:
            why = f"holds {quoted(piece)}, which the vocabulary of {model.name!r} does not"
            raise InvalidRequest.field(field, why)
    return tuple(ids)


def check_output(output: options_pb2.OutputOptions, model: Model) -> None:
    """Refuse what cannot be returned.

    Raises:
        InvalidRequest: a value is out of range.
        UnsupportedOption: the model has no attention to align by.
    """
    if output.alignment not in (options_pb2.ALIGNMENT_MODE_UNSPECIFIED, options_pb2.ALIGNMENT_MODE_NONE):
        need_attention(model, "output.alignment")
    for name in ("alignment", "alignment_unit"):
        value = getattr(output, name)
        kind = output.DESCRIPTOR.fields_by_name[name].enum_type
        assert kind is not None
        if value not in kind.values_by_number:
            raise InvalidRequest.field(f"output.{name}", f"is {value}, which this server does not know")
    if output.HasField("alignment_min_weight"):
        Range(0, 1).check("output.alignment_min_weight", output.alignment_min_weight)
    if output.HasField("stream_flush_tokens"):
        limit = model.manifest.limits.max_length
        Range(1, limit).check("output.stream_flush_tokens", output.stream_flush_tokens)
