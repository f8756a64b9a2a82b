"""From finished translations to the messages that tell of them."""

import time
from collections.abc import Iterator, Sequence

from google.protobuf.duration_pb2 import Duration

from seq2serve.v1 import model_pb2, options_pb2, translation_pb2
from service.errors import InvalidRequest
from service.model import Model
from service.notices import notices
from service.rendering import Rendered, links
from service.request import Request
from service.search.hypothesis import FinishReason
from service.times import Times, times_of
from service.translation import ALIGNED, Progress, Translation
from service.validation import Part

FINISH_REASONS = {
    FinishReason.EOS: translation_pb2.FINISH_REASON_EOS,
    FinishReason.LENGTH: translation_pb2.FINISH_REASON_LENGTH,
    FinishReason.END_TOKEN: translation_pb2.FINISH_REASON_END_TOKEN,
    FinishReason.REPETITION_GUARD: translation_pb2.FINISH_REASON_REPETITION_GUARD,
}
LEAST_WEIGHT = 0.05
MAX_LINKS = 65_536  # of a reply
Output = options_pb2.OutputOptions
Segment = tuple[Part, Rendered]


def duration(seconds: float) -> Duration:
    """Turn seconds into a protobuf Duration."""
    whole, nanos = _parts(seconds)
    return Duration(seconds=whole, nanos=nanos)


def _parts(seconds: float) -> tuple[int, int]:
    return divmod(round(seconds * 1e9), 10**9)


def model_ref(model: Model) -> model_pb2.ModelRef:
    """Name a model and its version."""
    return model_pb2.ModelRef(name=model.name, version=model.version)


def translate_response(
    translation: Translation, request_id: str, arrived_at: float
) -> Iterator[tuple[translation_pb2.TranslateResponse, Times] | None]:
    """Make the reply to a finished translation: last comes the reply, with where its time went.

    Before it comes nothing, several times, where something else may be done in between.

    Raises:
        InvalidRequest: the alignment has too many links.
    """
    started = time.monotonic()
    model, message, output = translation.model, translation.message, translation.message.output
    rendered = []
    for part in translation.parts:
        rendered.append(translation.render(part))
        yield None
    reply = translation_pb2.TranslateResponse(
        request_id=request_id, resolved_model=model_ref(model), usage=usage(translation)
    )
    if message.input.split_sentences:
        best = [(part, found[0]) for part, found in zip(translation.parts, rendered, strict=True)]
        reply.hypotheses.append(hypothesis(best, model, output))
        reply.sentences.extend(_sentence(part, one, output) for part, one in best if part.request)
    else:
        for one in rendered[0]:
            reply.hypotheses.append(hypothesis([(translation.parts[0], one)], model, output))
            if output.alignment in ALIGNED:
                _check_links(sum(len(found.alignment) for found in reply.hypotheses))
            yield None
    if found := source_tokens(translation.parts, model, output):
        reply.source_tokens.extend(found)
    if words := source_words(translation.parts, output):
        reply.source_words.extend(words)
    if warnings := notices(translation, rendered, reply.usage):
        reply.warnings.extend(warnings)
    if translation.seed is not None:
        reply.seed = translation.seed
    times = times_of(translation.requests, arrived_at, started, time.monotonic())
    if output.timing or not output.HasField("timing"):
        set_timing(reply.timing, translation.requests, times)
    yield reply, times


def _check_links(links: int) -> None:
    if links > MAX_LINKS:
        why = f"leaves more than {MAX_LINKS} links: raise it, or ask for fewer hypotheses or a shorter text"
        raise InvalidRequest.field("output.alignment_min_weight", why)


def delta(progress: Progress, translation: Translation) -> translation_pb2.TranslationDelta:
    """Tell of what became certain; tokens and their scores where `output` asks for them."""
    output = translation.message.output
    reply = translation_pb2.TranslationDelta(text=progress.text)
    if output.tokens:
        reply.tokens.extend(translation.model.vocabulary.pieces(progress.ids))
        reply.token_ids.extend(progress.ids)
    if output.token_scores:
        reply.token_scores.extend(progress.token_scores)
    return reply


def hypothesis(segments: Sequence[Segment], model: Model, output: Output) -> translation_pb2.Hypothesis:
    """Describe a hypothesis, or those of several parts joined; scores and tokens where `output` asks for them."""
    found = [one.hypothesis for part, one in segments if part.request]
    unended = [h.finish_reason for h in found if h.finish_reason not in (FinishReason.EOS, FinishReason.END_TOKEN)]
    reason = unended[0] if unended else (found[0].finish_reason if len(found) == 1 else FinishReason.EOS)
    text = "".join(one.text + part.separator for part, one in segments)
    reply = translation_pb2.Hypothesis(text=text, finish_reason=FINISH_REASONS[reason])
    if output.scores:
        reply.log_probability = sum(h.log_probability for h in found)
        reply.score = reply.log_probability / max(1, sum(h.steps for h in found))
    if output.token_scores:
        for h in found[:-1]:
            reply.token_scores.extend(h.token_scores[: len(h.ids)].tolist())
        reply.token_scores.extend(found[-1].token_scores.tolist())
    by_piece = output.alignment in ALIGNED and output.alignment_unit == options_pb2.ALIGNMENT_UNIT_PIECE
    if output.tokens or by_piece:
        for h in found:
            reply.tokens.extend(model.vocabulary.pieces(h.ids))
    if output.tokens:
        for h in found:
            reply.token_ids.extend(h.ids)
    if output.alignment in ALIGNED:
        _align(reply, segments, output, by_piece)
    return reply


def _align(reply: translation_pb2.Hypothesis, segments: Sequence[Segment], output: Output, by_piece: bool) -> None:
    least: float | None = None
    if output.alignment == options_pb2.ALIGNMENT_MODE_SOFT_SPARSE:
        least = output.alignment_min_weight if output.HasField("alignment_min_weight") else LEAST_WEIGHT
    source = target = written = 0
    for part, one in segments:
        weights = one.piece_weights if by_piece else one.weights
        assert weights is not None
        found = links(weights, least, source, target)
        _check_links(len(reply.alignment) + len(found))
        for link in found:
            reply.alignment.add(source=link.source, target=link.target, weight=link.weight)
        if not by_piece:
            for word in one.words:
                reply.words.add(text=word.text, start=word.start + written, end=word.end + written)
        target, source = target + weights.shape[0], source + weights.shape[1]
        written += len(one.text) + len(part.separator)


def _sentence(part: Part, one: Rendered, output: Output) -> translation_pb2.Sentence:
    source = part.protected.original if part.protected else part.source.text
    reply = translation_pb2.Sentence(
        source=source, target=one.text, finish_reason=FINISH_REASONS[one.hypothesis.finish_reason]
    )
    if output.scores:
        reply.score = one.hypothesis.log_probability / one.hypothesis.steps
    return reply


def source_tokens(parts: Sequence[Part], model: Model, output: Output) -> list[str]:
    """List the source's pieces as the model read them, where `output` needs them."""
    by_piece = output.alignment in ALIGNED and output.alignment_unit == options_pb2.ALIGNMENT_UNIT_PIECE
    if not (output.tokens or by_piece):
        return []
    return [piece for part in parts for piece in model.vocabulary.pieces(part.source.ids)]


def source_words(parts: Sequence[Part], output: Output) -> list[translation_pb2.Word]:
    """List the source's words, where an alignment needs them."""
    if output.alignment not in ALIGNED or output.alignment_unit == options_pb2.ALIGNMENT_UNIT_PIECE:
        return []
    found = (word for part in parts if part.protected for word in part.protected.words)
    return [translation_pb2.Word(text=word.text, start=word.start, end=word.end) for word in found]


def usage(translation: Translation) -> translation_pb2.Usage:
    """Count the pieces of a translation."""
    unknown = translation.model.vocabulary.unknown_id
    read = written = unknowns = truncated = 0
    for part in translation.parts:
        read += len(part.source.ids)
        unknowns += part.source.ids.count(unknown)
        truncated += part.truncated
    for request in translation.requests:
        for one in request.hypotheses:
            written += len(one.ids)
    return translation_pb2.Usage(
        source_tokens=read,
        target_tokens=written,
        unknown_source_tokens=unknowns,
        truncated_source_tokens=truncated,
        cached=bool(translation.requests) and all(request.cached for request in translation.requests),
    )


def set_timing(timing: translation_pb2.Timing, requests: Sequence[Request], times: Times) -> None:
    """Tell where the time of a translation went; the same figures as the metrics."""
    steps = sum(request.steps for request in requests)
    timing.decode_steps = steps
    timing.mean_batch_size = sum(request.mean_batch_size * request.steps for request in requests) / steps
    for name, seconds in (("total", times.total), ("time_to_first_token", times.first_token), *times.stages.items()):
        part = getattr(timing, name)  # set where it lies: a message of its own would be copied
        part.seconds, part.nanos = _parts(seconds)
