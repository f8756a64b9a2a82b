"""Streams: what is sent early is what comes out in the end, and who goes away is not worked for."""

from collections.abc import Callable

import grpc
import pytest

from seq2serve import Tokens, TranslateOptions
from seq2serve.request import translate_request
from seq2serve.v1 import translation_pb2, translation_pb2_grpc

Stub = translation_pb2_grpc.TranslationServiceStub
GARDEN = "The children were playing in the garden when the rain began to fall."
LETTER = "Dear all,\n\nI hope you are well. The weather is good here!\n\n\n\tWe swim every day. Are you at home?\n"
LONG = " ".join(["The train to the coast leaves at seven, and nobody knows when it will come back."] * 12)
CASES: dict[str, tuple[str, TranslateOptions]] = {
    "greedy": (GARDEN, {}),
    "beam": (GARDEN, {"beam_size": 5}),
    "hypotheses": (GARDEN, {"beam_size": 5, "num_hypotheses": 5, "patience": 3.0}),
    "sample": (GARDEN, {"temperature": 1.0, "seed": 6}),
    "samples": (GARDEN, {"temperature": 1.0, "seed": 6, "num_hypotheses": 3}),
    "alternatives": (GARDEN, {"return_alternatives": True, "num_hypotheses": 3, "target_prefix": "Die"}),
    "sentences": (LETTER, {"split_sentences": True}),
    "sentences of beams": (LETTER, {"split_sentences": True, "beam_size": 4, "stream_flush_tokens": 3}),
    "unknown symbols": ("The city of 東京 is large, and so is 大阪, they say.", {}),
    "replaced": ("The city of 東京 is large, and so is 大阪, they say.", {"replace_unknowns": True}),
    "numbers": ("We met at 10:30. It was raining.", {"split_sentences": True, "transfer_numbers": True}),
    "tags between sentences": (
        "<p>\n<b>Good morning. </b> <br/>\nIt is late.</p>\n",
        {"split_sentences": True, "transfer_tags": True},
    ),
    "tags": ("Please read <i>this letter</i> tomorrow.", {"transfer_tags": True}),
    "glossary": ("The dog sleeps on the carpet.", {"glossary": {"carpet": "Läufer"}, "beam_size": 2}),
    "loop": ("No, no, no, no, no, no, no, no, no, no, no!", {"repetition_guard": True}),
    "no loop": (GARDEN, {"repetition_guard": True, "beam_size": 3}),
    "end tokens": (GARDEN, {"end_tokens": [",", "▁als"]}),
    "four at a time": (GARDEN, {"stream_flush_tokens": 4}),
    "all at a time": (GARDEN, {"stream_flush_tokens": 256}),
    "least length": (GARDEN, {"min_length": 20}),
    "greatest length": (GARDEN, {"max_length": 6, "beam_size": 2}),
    "prefix": (GARDEN, {"target_prefix": "Als es", "beam_size": 3}),
}
OUTPUTS: dict[str, TranslateOptions] = {
    "text": {},
    "scores": {"token_scores": True},
    "all": {"tokens": True, "token_scores": True, "scores": True, "alignment": "soft_sparse"},
}


def comparable(reply: translation_pb2.TranslateResponse) -> translation_pb2.TranslateResponse:
    """Return a reply without what no two replies share."""
    copy = translation_pb2.TranslateResponse()
    copy.CopyFrom(reply)
    copy.ClearField("timing")
    copy.ClearField("request_id")
    return copy


def deltas_of(events: list[translation_pb2.TranslateEvent]) -> list[translation_pb2.TranslationDelta]:
    """Return what stands between the first event and the last."""
    assert {event.WhichOneof("event") for event in events[1:-1]} <= {"delta"}
    return [event.delta for event in events[1:-1]]


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("case", CASES)
def test_deltas_make_the_translation(translation: Stub, case: str, output: str) -> None:
    """Joined, the deltas' texts, pieces and scores are the final ones, which are those of Translate."""
    source, options = CASES[case]
    request = translate_request(source, {**options, **OUTPUTS[output], "request_id": "a-stream"})
    events = list(translation.TranslateStream(request))
    assert [event.WhichOneof("event") for event in (events[0], events[-1])] == ["accepted", "final"]
    deltas, final = deltas_of(events), events[-1].final
    best = final.hypotheses[0]
    assert "".join(delta.text for delta in deltas) == best.text
    assert [piece for delta in deltas for piece in delta.tokens] == list(best.tokens)
    assert [piece for delta in deltas for piece in delta.token_ids] == list(best.token_ids)
    if best.token_scores:
        pieces = translation.Translate(translate_request(source, {**options, "tokens": True})).hypotheses[0].token_ids
        assert [score for delta in deltas for score in delta.token_scores] == list(best.token_scores)[: len(pieces)]
    assert comparable(final) == comparable(translation.Translate(request))
    accepted = events[0].accepted
    assert accepted.request_id == final.request_id == "a-stream"
    assert accepted.resolved_model == final.resolved_model
    assert accepted.source_tokens == final.usage.source_tokens > 0


@pytest.mark.parametrize(
    "options",
    [{}, {"beam_size": 5}, {"temperature": 0.7, "seed": 3}, {"repetition_guard": True}, {"end_tokens": ["?"]}],
)
def test_text_comes_early(translation: Stub, options: TranslateOptions) -> None:
    """What is certain is not held back: the text comes in several parts."""
    deltas = deltas_of(list(translation.TranslateStream(translate_request(LONG, options))))
    assert len([delta for delta in deltas if delta.text]) > 2


@pytest.mark.parametrize("beam_size", [1, 5])
@pytest.mark.parametrize("count", [2, 9])
def test_deltas_wait_for_so_many_pieces(translation: Stub, count: int, beam_size: int) -> None:
    """Each but the last has at least as many pieces as were asked for."""
    request = translate_request(LONG, {"stream_flush_tokens": count, "tokens": True, "beam_size": beam_size})
    sizes = [len(delta.token_ids) for delta in deltas_of(list(translation.TranslateStream(request)))]
    assert len(sizes) > 1
    assert min(sizes[:-1]) >= count


def test_stream_makes_an_id(translation: Stub) -> None:
    """Without an id the server makes one, and names it first and last."""
    first, *_, last = translation.TranslateStream(translate_request(Tokens(["▁Yes", "!"]), {}))
    assert first.accepted.request_id == last.final.request_id != ""


@pytest.mark.parametrize(
    ("source", "options"),
    [
        (LONG, {"min_length": 250, "max_length": 256}),
        (LONG, {"min_length": 250, "max_length": 256, "beam_size": 12, "stream_flush_tokens": 1}),
        (LONG * 8, {"split_sentences": True, "beam_size": 4}),
    ],
    ids=["greedy", "beam", "sentences"],
)
def test_cancelled_stream_frees_its_slots(
    translation: Stub, cancels: Callable[[Callable[[], object]], None], source: str, options: TranslateOptions
) -> None:
    """Who hangs up after the first delta leaves nothing running and nothing in line."""
    call = translation.TranslateStream(translate_request(source, options))
    assert next(call).HasField("accepted")
    assert next(call).HasField("delta")
    cancels(call.cancel)
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    assert caught.value.code() is grpc.StatusCode.CANCELLED


def test_streams_side_by_side_keep_apart(translation: Stub) -> None:
    """Streams that run at the same time each make their own text."""
    requests = [translate_request(source, options) for source, options in CASES.values()]
    calls = [translation.TranslateStream(request) for request in requests]
    for request, call in zip(requests, calls, strict=True):
        events = list(call)
        text = "".join(delta.text for delta in deltas_of(events))
        assert text == events[-1].final.hypotheses[0].text == translation.Translate(request).hypotheses[0].text
