"""What a caller should know although the call went well."""

from collections.abc import Iterator, Sequence

from seq2serve.v1 import translation_pb2
from service.rendering import Rendered
from service.search.hypothesis import FinishReason
from service.translation import Translation

MOST = 100  # of one reply


def notices(
    translation: Translation, rendered: Sequence[Sequence[Rendered]], usage: translation_pb2.Usage
) -> list[translation_pb2.Notice]:
    """Tell what was cut, stopped, not known or not transferred, of the best hypothesis of every part."""
    found = list(_notices(translation, rendered, usage))
    if len(found) > MOST:
        found[MOST:] = [_notice("left_out", f"{len(found) - MOST} more notices are left out.")]
    return found


def _notices(
    translation: Translation, rendered: Sequence[Sequence[Rendered]], usage: translation_pb2.Usage
) -> Iterator[translation_pb2.Notice]:
    parts, model = translation.parts, translation.model
    best = [found[0] for found in rendered]
    field = translation.source_field
    if truncated := usage.truncated_source_tokens:
        limit = model.manifest.limits.max_source_tokens
        yield _notice(
            "truncated", f"What is beyond the limit of {limit} pieces was not translated: {truncated} of them.", field
        )
    if unknown := usage.unknown_source_tokens:
        verb = "piece of the source is" if unknown == 1 else "pieces of the source are"
        yield _notice("unknown_words", f"{unknown} {verb} not in the model's vocabulary.", field)
    reasons = [one.hypothesis.finish_reason for one in best]
    if FinishReason.LENGTH in reasons:
        over = (
            part
            for part, found in zip(parts, best, strict=True)
            if found.hypothesis.finish_reason == FinishReason.LENGTH
        )
        limit = max(part.request.options.max_length for part in over if part.request)
        yield _notice(
            "length_limit", f"The translation reached its limit of {limit} pieces and may be cut.", "options.max_length"
        )
    if FinishReason.REPETITION_GUARD in reasons:
        yield _notice("repetition_guard", "The translation looped and was cut before the loop.")
    for notice in {notice: None for one in best for notice in one.notices}:  # each once, in order
        yield _notice(*notice)


def _notice(reason: str, message: str, field: str = "") -> translation_pb2.Notice:
    return translation_pb2.Notice(reason=reason, message=message, field=field)
