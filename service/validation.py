"""What a message means, before anything is translated: which model, and which pieces."""

from dataclasses import dataclass

from seq2serve.v1 import model_pb2, options_pb2, translation_pb2
from service.errors import EmptySource, InvalidRequest, SourceTooLong
from service.limits import EdgeLimits, check_size
from service.model import Model
from service.registry import Registry
from service.request import Request
from service.search_options import check_pieces, need_attention
from service.text.glossary import GlossaryTerm
from service.text.limits import MAX_TERM, TooMuch
from service.text.options import TextOptions
from service.text.pieces import Pieces
from service.text.protect import Protected, cut, protect, truncate
from service.text.sentences import Segment, fit, split

NOTHING = TextOptions()  # is transferred
TRANSFERS = ("tags", "urls", "emails", "numbers", "placeholders")


@dataclass
class Part:
    """Hold what is translated on its own: the whole text, or a sentence of it."""

    source: Pieces
    protected: Protected | None = None  # none where nothing is asked that needs the source's text
    separator: str = ""  # between this part and the next
    truncated: int = 0  # pieces that were cut off
    request: Request | None = None  # none where there is nothing to translate


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
            if not ref.alias:
                raise InvalidRequest.field("model.alias", "is empty")
    return registry.find(ref.name, version, source_language, target_language, ref.alias)


def read_text_options(request: translation_pb2.TranslateRequest, model: Model, limits: EdgeLimits) -> TextOptions:
    """Read what is transferred from the source to the target.

    Raises:
        InvalidRequest: a term is empty or too long, there are too many, or the source has no text to transfer from.
        UnsupportedOption: the model has no attention.
    """
    if not (request.HasField("input") or request.glossary or request.options.replace_unknowns):
        return NOTHING
    asked = [f"input.transfer_{name}" for name in TRANSFERS if getattr(request.input, f"transfer_{name}")]
    asked += ["glossary"] if request.glossary else []
    asked += ["options.replace_unknowns"] if request.options.replace_unknowns else []
    for name in asked:
        need_attention(model, name)
    if asked and request.WhichOneof("source") == "tokens" and asked != ["options.replace_unknowns"]:
        raise InvalidRequest.field(asked[0], "needs a source that is text, not tokens")
    if len(request.glossary) > limits.max_glossary_terms:
        raise InvalidRequest.field(
            "glossary", f"has {len(request.glossary)} terms, at most {limits.max_glossary_terms}"
        )
    for i, term in enumerate(request.glossary):
        for side in ("source", "target"):
            given = getattr(term, side)
            if not given.strip():
                raise InvalidRequest.field(f"glossary[{i}].{side}", "is empty")
            if len(given) > MAX_TERM:
                raise InvalidRequest.field(f"glossary[{i}].{side}", f"has {len(given)} characters, at most {MAX_TERM}")
    terms = (
        GlossaryTerm(term.source, term.target, term.case_sensitive or not term.HasField("case_sensitive"))
        for term in request.glossary
    )
    transfers = {name: getattr(request.input, f"transfer_{name}") for name in TRANSFERS}
    options = TextOptions(**transfers, replace_unknowns=request.options.replace_unknowns, glossary=tuple(terms))
    return NOTHING if options == NOTHING else options


def read_parts(
    request: translation_pb2.TranslateRequest,
    model: Model,
    limits: EdgeLimits,
    options: TextOptions,
    spans: bool,
    prefix: str = "",
) -> list[Part]:
    """Cut the source into pieces, and first into sentences where that was asked for.

    `spans`: with the places of the pieces. `prefix` stands before the names of the source's fields in errors.

    Raises:
        EmptySource: there is nothing to translate.
        InvalidRequest: there are too many sentences or tags.
        SourceTooLong: it is above the model's limit, and neither truncation nor splitting was asked for.
    """
    spans |= options is not NOTHING
    if request.WhichOneof("source") == "tokens":
        if request.input.split_sentences:
            raise InvalidRequest.field("input.split_sentences", "needs a source that is text, not tokens")
        name = f"{prefix}tokens"
        return [_read_tokens(name, request, model, options, spans)]
    name = f"{prefix}text"
    check_size(name, request.text, limits, SourceTooLong)
    if not (spans or request.input.split_sentences):
        parts = [Part(Pieces(request.text, model.vocabulary.encode(request.text), []))]
    else:
        try:
            parts = _parts(protect(request.text, options), model, request.input, spans)
        except TooMuch as error:
            raise InvalidRequest.field(name, str(error)) from error
    if not request.text.strip() or not any(part.source.ids for part in parts):
        why = "is empty" if not request.text else "holds nothing to translate"
        raise EmptySource.field(name, why)
    return [_limited(part, name, request.input, model) for part in parts]


def _parts(protected: Protected, model: Model, options: options_pb2.InputOptions, spans: bool) -> list[Part]:
    vocabulary, limit = model.vocabulary, model.manifest.limits.max_source_tokens
    segments = [Segment(protected.plain, "")]
    if options.split_sentences:
        sentences = split(protected.plain, model.manifest.source_language)
        segments = [part for one in sentences for part in fit(one, limit, lambda text: len(vocabulary.encode(text)))]
    return [
        Part(vocabulary.encode_spans(part.plain), part, separator)
        if spans
        else Part(Pieces(part.plain, vocabulary.encode(part.plain), []), None, separator)
        for part, separator in cut(protected, segments)
    ]


def _read_tokens(
    name: str, request: translation_pb2.TranslateRequest, model: Model, options: TextOptions, spans: bool
) -> Part:
    """Look given pieces up, as many as the model takes."""
    pieces, limit = request.tokens.pieces, model.manifest.limits.max_source_tokens
    if not pieces:
        raise EmptySource.field(name, "is empty")
    if len(pieces) > limit and not request.input.truncate:
        raise _too_long(name, len(pieces), model)
    kept = pieces[:limit]
    ids = list(check_pieces(name, kept, model.vocabulary.ids(kept), model))
    source = model.vocabulary.decode_spans(ids) if spans else Pieces("", ids, [])
    protected = protect(source.text, options) if spans else None
    return Part(source, protected, truncated=len(pieces) - len(kept))


def _limited(part: Part, name: str, options: options_pb2.InputOptions, model: Model) -> Part:
    """Cut a part down to the model's limit where that was asked for."""
    source, limit = part.source, model.manifest.limits.max_source_tokens
    length = len(source.ids)
    if length > limit:
        if not options.truncate:
            raise _too_long(name, length, model)
        part.source = Pieces(source.text, source.ids[:limit], source.spans[:limit])
        part.truncated = length - limit
        if part.protected:
            part.protected = truncate(part.protected, part.source.spans[-1][1])
    return part


def _too_long(name: str, length: int, model: Model) -> SourceTooLong:
    limit = model.manifest.limits.max_source_tokens
    why = f"has {length} pieces, the limit of {model.name!r} is {limit}"
    return SourceTooLong.field(name, why, length=str(length), limit=str(limit))
