"""A given translation, force-decoded: how probable the model finds it."""

from seq2serve.v1 import translation_pb2
from service.call import Call, check_key
from service.errors import EmptySource, InvalidRequest
from service.limits import EdgeLimits, check_size
from service.model import Model
from service.options import Ids
from service.replies import model_ref
from service.search_options import check_pieces
from service.translator import Translator
from service.validation import TRANSFERS, resolve

FORBIDDEN = ("split_sentences", *(f"transfer_{name}" for name in TRANSFERS))


async def score(
    translator: Translator, message: translation_pb2.ScoreRequest, call: Call
) -> translation_pb2.ScoreResponse:
    """Score a translation of a source.

    Raises:
        ServiceError: it was refused, or failed.
    """
    if message.request_id:
        call.request_id = check_key(message.request_id)
    for name in FORBIDDEN:
        if getattr(message.input, name):
            raise InvalidRequest.field(f"input.{name}", "is not for scoring")
    model = resolve(translator.registry, message.model, message.source_language, message.target_language)
    request = translation_pb2.TranslateRequest(
        model=model_ref(model),  # by its version: an alias may mean another one the next time
        source_language=message.source_language,
        target_language=message.target_language,
        input=message.input,
        output=message.output,
        priority=message.priority,
    )
    request.output.scores = True
    match message.WhichOneof("source"):
        case "source_tokens":
            request.tokens.CopyFrom(message.source_tokens)
        case "source_text":
            request.text = message.source_text
        case _:
            raise EmptySource.field("source_text", "is missing, as is source_tokens")
    found = await translator.translate(request, call, forced=_read_target(message, model, translator.limits))
    return translation_pb2.ScoreResponse(
        request_id=found.request_id,
        hypothesis=found.hypotheses[0],
        resolved_model=found.resolved_model,
        usage=found.usage,
        timing=found.timing if found.HasField("timing") else None,
        warnings=found.warnings,
        source_tokens=found.source_tokens,
        source_words=found.source_words,
    )


def _read_target(message: translation_pb2.ScoreRequest, model: Model, limits: EdgeLimits) -> Ids:
    kind = message.WhichOneof("target")
    if kind is None:
        raise InvalidRequest.field("target_text", "is missing, as is target_tokens")
    pieces, limit = message.target_tokens.pieces, model.manifest.limits.max_length
    ids: list[int] = []
    if kind == "target_text":
        check_size(kind, message.target_text, limits)
        ids = model.vocabulary.encode(message.target_text)
    length = len(ids) or len(pieces)
    if length > limit:
        raise InvalidRequest.field(kind, f"has {length} pieces, the limit of {model.name!r} is {limit}")
    return tuple(ids) or check_pieces(kind, pieces, model.vocabulary.ids(pieces), model)
