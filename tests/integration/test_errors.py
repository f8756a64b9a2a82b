"""Bad input gets a clear refusal: the right code, one reason everywhere, and the fields at fault."""

from collections.abc import Callable
from typing import Any, TypeAlias

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from benchmarks.metrics import scrape
from seq2serve.v1 import model_pb2, options_pb2, translation_pb2, translation_pb2_grpc
from tests.server_process import ServerProcess

Stub = translation_pb2_grpc.TranslationServiceStub
Request: TypeAlias = translation_pb2.TranslateRequest
Score: TypeAlias = translation_pb2.ScoreRequest
Options: TypeAlias = options_pb2.DecodeOptions
Term, Ref, Input = translation_pb2.GlossaryTerm, model_pb2.ModelRef, options_pb2.InputOptions
Output, Tokens = options_pb2.OutputOptions, options_pb2.Tokens
OK = "Hello."
NAN = float("nan")
PIECES = Tokens(pieces=["▁Good", "▁day", "."])
INVALID, NOT_FOUND = StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND

CASES: dict[str, tuple[Request, StatusCode, str, str]] = {
    "nothing": (Request(), INVALID, "empty_source", "text"),
    "blank": (Request(text=" \t\n\u3000"), INVALID, "empty_source", "text"),
    "no tokens": (Request(tokens=Tokens()), INVALID, "empty_source", "tokens"),
    "tags alone": (Request(text="<b></b>", input=Input(transfer_tags=True)), INVALID, "empty_source", "text"),
    "too long": (Request(text="house " * 300), INVALID, "source_too_long", "text"),
    "too many tokens": (Request(tokens=Tokens(pieces=["▁day"] * 257)), INVALID, "source_too_long", "tokens"),
    "too many bytes": (Request(text="x" * 70_000), INVALID, "source_too_long", "text"),
    "unknown model": (Request(text=OK, model=Ref(name="xx")), NOT_FOUND, "model_not_found", ""),
    "unknown version": (Request(text=OK, model=Ref(name="en-de", version=99)), NOT_FOUND, "version_not_found", ""),
    "unknown alias": (Request(text=OK, model=Ref(name="en-de", alias="stable")), NOT_FOUND, "version_not_found", ""),
    "version 0": (Request(text=OK, model=Ref(name="en-de", version=0)), INVALID, "invalid_option", "model.version"),
    "unknown languages": (Request(text=OK, source_language="fr"), NOT_FOUND, "language_pair_not_found", ""),
    "model and languages disagree": (
        Request(text=OK, model=Ref(name="en-de"), target_language="fr"),
        *(INVALID, "model_language_mismatch", ""),
    ),
    "shortlist": (
        Request(text=OK, options=Options(use_shortlist=True)),
        *(StatusCode.FAILED_PRECONDITION, "unsupported_option", "options.use_shortlist"),
    ),
}

# Refused with `invalid_option`: what is wrong, and the field that is named.
OPTIONS: dict[str, tuple[Request, str]] = {
    "request id": (Request(text=OK, request_id="ä"), "request_id"),
    "long request id": (Request(text=OK, request_id="x" * 129), "request_id"),
    "priority out of range": (Request(text=OK, priority=11), "priority"),
    "end symbol in the source": (Request(tokens=Tokens(pieces=["▁Good", "</s>"])), "tokens"),
    "prefix above max_length": (
        Request(text=OK, target_prefix="Das ist ein Haus mit Garten.", options=Options(max_length=3)),
        "target_prefix",
    ),
    "prefix tokens above max_length": (
        Request(text=OK, target_prefix_tokens=Tokens(pieces=["▁Ich"] * 4), options=Options(max_length=3)),
        "target_prefix_tokens",
    ),
    "end symbol in the prefix": (
        Request(text=OK, target_prefix_tokens=Tokens(pieces=["▁Ich", "</s>"])),
        "target_prefix_tokens",
    ),
    "bias without a prefix": (Request(text=OK, prefix_bias=0.5), "prefix_bias"),
    "bias with an empty prefix": (Request(text=OK, target_prefix="", prefix_bias=0.5), "prefix_bias"),
    "bias 1": (Request(text=OK, target_prefix="Ich", prefix_bias=1), "prefix_bias"),
    "bias below 0": (Request(text=OK, target_prefix="Ich", prefix_bias=-0.1), "prefix_bias"),
    "bias is no number": (Request(text=OK, target_prefix="Ich", prefix_bias=NAN), "prefix_bias"),
    "empty source of a term": (Request(text=OK, glossary=[Term(source=" ", target="b")]), "glossary[0].source"),
    "empty target of a term": (
        Request(text=OK, glossary=[Term(source="a", target="b"), Term(source="a")]),
        "glossary[1].target",
    ),
    "too many terms": (Request(text=OK, glossary=[Term(source="a", target="b")] * 1001), "glossary"),
    "terms with tokens": (Request(tokens=PIECES, glossary=[Term(source="a", target="b")]), "glossary"),
    "tags of tokens": (Request(tokens=PIECES, input=Input(transfer_tags=True)), "input.transfer_tags"),
    "URLs of tokens": (Request(tokens=PIECES, input=Input(transfer_urls=True)), "input.transfer_urls"),
    "e-mails of tokens": (Request(tokens=PIECES, input=Input(transfer_emails=True)), "input.transfer_emails"),
    "numbers of tokens": (Request(tokens=PIECES, input=Input(transfer_numbers=True)), "input.transfer_numbers"),
    "placeholders of tokens": (
        Request(tokens=PIECES, input=Input(transfer_placeholders=True)),
        "input.transfer_placeholders",
    ),
    "sentences of tokens": (Request(tokens=PIECES, input=Input(split_sentences=True)), "input.split_sentences"),
    "sentences with a prefix": (
        Request(text=OK, input=Input(split_sentences=True), target_prefix="Ich"),
        "target_prefix",
    ),
    "sentences with hypotheses": (
        Request(text=OK, input=Input(split_sentences=True), options=Options(beam_size=2, num_hypotheses=2)),
        "options.num_hypotheses",
    ),
    "least weight above 1": (Request(text=OK, output=Output(alignment_min_weight=2)), "output.alignment_min_weight"),
    "least weight below 0": (Request(text=OK, output=Output(alignment_min_weight=-1)), "output.alignment_min_weight"),
    "flush 0": (Request(text=OK, output=Output(stream_flush_tokens=0)), "output.stream_flush_tokens"),
    "flush above the limit": (Request(text=OK, output=Output(stream_flush_tokens=257)), "output.stream_flush_tokens"),
    "alignment of another release": (Request(text=OK, output=Output(alignment=7)), "output.alignment"),  # type: ignore[arg-type]
    "unit of another release": (Request(text=OK, output=Output(alignment_unit=7)), "output.alignment_unit"),  # type: ignore[arg-type]
}

# The same for decoding options alone; the field is `options.` and the first word of the name.
DECODING: dict[str, Options] = {
    "beam_size 0": Options(beam_size=0),
    "beam_size -1": Options(beam_size=-1),
    "beam_size above the cap": Options(beam_size=13),
    "beam_size with temperature": Options(beam_size=2, temperature=0.7),
    "beam_size with top_k": Options(beam_size=2, top_k=5),
    "beam_size with top_p": Options(beam_size=2, top_p=0.5),
    "beam_size with alternatives": Options(beam_size=2, return_alternatives=True),
    "num_hypotheses 0": Options(num_hypotheses=0),
    "num_hypotheses above the cap": Options(num_hypotheses=13),
    "num_hypotheses above the beam": Options(beam_size=3, num_hypotheses=4),
    "num_hypotheses of greedy": Options(num_hypotheses=2),
    "patience 0": Options(patience=0),
    "patience not a number": Options(patience=NAN),
    "length_penalty below 0": Options(length_penalty=-0.5),
    "length_penalty 11": Options(length_penalty=11),
    "coverage_penalty below 0": Options(coverage_penalty=-0.5),
    "coverage_penalty 11": Options(coverage_penalty=11),
    "repetition_penalty 0": Options(repetition_penalty=0),
    "repetition_penalty 11": Options(repetition_penalty=11),
    "no_repeat_ngram_size below 0": Options(no_repeat_ngram_size=-1),
    "no_repeat_ngram_size 101": Options(no_repeat_ngram_size=101),
    "min_length below 0": Options(min_length=-1),
    "min_length above max_length": Options(min_length=9, max_length=8),
    "min_length above the limit": Options(min_length=257),
    "min_length above the bound by the source": Options(min_length=100),
    "max_length 0": Options(max_length=0),
    "max_length above the limit": Options(max_length=257),
    "max_length_ratio 0": Options(max_length_ratio=0),
    "max_length_ratio 101": Options(max_length_ratio=101),
    "max_length_ratio not a number": Options(max_length_ratio=NAN),
    "max_length_offset below 0": Options(max_length_offset=-1),
    "max_length_offset above the limit": Options(max_length_offset=257),
    "suppress_sequences[1] empty": Options(suppress_sequences=[Tokens(pieces=["▁Das"]), Tokens()]),
    "suppress_sequences[0] unknown": Options(suppress_sequences=[Tokens(pieces=["▁Das", "Donaudampf"])]),
    "suppress_sequences too many": Options(suppress_sequences=[Tokens(pieces=["▁Das"])] * 1001),
    "end_tokens unknown": Options(end_tokens=["Donaudampf"]),
    "top_k below 0": Options(top_k=-1),
    "top_k above the vocabulary": Options(top_k=8001),
    "top_p 0": Options(top_p=0),
    "top_p 1.5": Options(top_p=1.5),
    "top_p not a number": Options(top_p=NAN),
    "temperature 0": Options(temperature=0),
    "temperature 101": Options(temperature=101),
    "temperature not a number": Options(temperature=NAN),
    "temperature infinite": Options(temperature=float("inf")),
    "seed without sampling": Options(seed=1),
    "seed with top_k 1": Options(seed=1, top_k=1),
    "return_alternatives with sampling": Options(return_alternatives=True, temperature=1),
    "min_alternative_probability alone": Options(min_alternative_probability=0.1),
    "min_alternative_probability 1.5": Options(return_alternatives=True, min_alternative_probability=1.5),
}
OPTIONS |= {name: (Request(text=OK, options=one), f"options.{name.split()[0]}") for name, one in DECODING.items()}
CASES |= {name: (request, INVALID, "invalid_option", field) for name, (request, field) in OPTIONS.items()}

SCORES: dict[str, tuple[Score, str, str]] = {
    "nothing": (Score(), "empty_source", "source_text"),
    "no source": (Score(target_text="Hallo."), "empty_source", "source_text"),
    "blank source": (Score(source_text=" ", target_text="Hallo."), "empty_source", "source_text"),
    "no source pieces": (Score(source_tokens=Tokens(), target_text="Hallo."), "empty_source", "source_tokens"),
    "too long": (Score(source_text="house " * 300, target_text="Haus"), "source_too_long", "source_text"),
    "no target": (Score(source_text=OK), "invalid_option", "target_text"),
    "long target": (Score(source_text=OK, target_text="Haus " * 300), "invalid_option", "target_text"),
    "very long target": (Score(source_text=OK, target_text="Haus " * 20_000), "invalid_option", "target_text"),
    "many target pieces": (
        Score(source_text=OK, target_tokens=Tokens(pieces=["▁Haus"] * 257)),
        *("invalid_option", "target_tokens"),
    ),
    "end symbol in the target": (
        Score(source_text=OK, target_tokens=Tokens(pieces=["▁Haus", "</s>"])),
        *("invalid_option", "target_tokens"),
    ),
    "splitting": (
        Score(source_text=OK, target_text="Hallo.", input=Input(split_sentences=True)),
        *("invalid_option", "input.split_sentences"),
    ),
    "tags": (
        Score(source_text=OK, target_text="Hallo.", input=Input(transfer_tags=True)),
        *("invalid_option", "input.transfer_tags"),
    ),
    "least weight": (
        Score(source_text=OK, target_text="Hallo.", output=Output(alignment_min_weight=2)),
        *("invalid_option", "output.alignment_min_weight"),
    ),
    "request id": (Score(source_text=OK, target_text="Hallo.", request_id="ä"), "invalid_option", "request_id"),
}


# All attention weights of twelve hypotheses, as long as they can be.
HEAVY = Request(
    text="a b " * 110,
    options=Options(beam_size=12, num_hypotheses=12, min_length=256, max_length=256),
    output=Output(
        alignment=options_pb2.ALIGNMENT_MODE_SOFT_SPARSE,
        alignment_unit=options_pb2.ALIGNMENT_UNIT_PIECE,
        alignment_min_weight=0,
    ),
)


def refused(call: Callable[[], Any]) -> grpc.RpcError:
    """Return the error of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def trailers_of(error: grpc.RpcError) -> dict[str, Any]:
    """Return the trailers of an error, which are strings, and bytes under `-bin`."""
    return {trailer.key: trailer.value for trailer in error.trailing_metadata()}


def check(error: grpc.RpcError, code: StatusCode, reason: str) -> list[str]:
    """Check code, trailers and details of an error; returns the fields that it names."""
    trailers = trailers_of(error)
    assert error.code() is code
    assert trailers["seq2serve-reason"] == reason
    assert trailers["seq2serve-request-id"]
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info, fields = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == (reason.upper(), "seq2serve")
    assert status.code == code.value[0]
    for detail in status.details[1:]:
        assert detail.Unpack(fields) or detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR)
    return [violation.field for violation in fields.field_violations]


@pytest.mark.parametrize("case", CASES)
def test_bad_request(translation: Stub, server: ServerProcess, case: str) -> None:
    """Each case has its code and reason, names its field, and is counted under the same reason."""
    request, code, reason, field = CASES[case]
    key = f"seq2serve_requests_rejected_total{{{reason}}}"
    before = scrape(server.http).get(key, 0)
    fields = check(refused(lambda: translation.Translate(request)), code, reason)
    assert (field in fields) if field else not fields
    assert scrape(server.http)[key] == before + 1


@pytest.mark.parametrize("case", SCORES)
def test_bad_score_request(translation: Stub, case: str) -> None:
    """A refusal to score names the fields as ScoreRequest does."""
    request, reason, field = SCORES[case]
    assert check(refused(lambda: translation.Score(request)), INVALID, reason) == [field]


def test_priority_to_score_has_the_range_of_one_to_translate(translation: Stub) -> None:
    """What is out of range is refused in one way."""
    error = refused(lambda: translation.Score(Score(source_text=OK, target_text="Hallo.", priority=-11)))
    assert check(error, StatusCode.INVALID_ARGUMENT, "invalid_option") == ["priority"]


def test_stream_is_refused_before_it_begins(translation: Stub) -> None:
    """All that a single call refuses, a stream refuses alike, before `accepted`."""
    for name, (request, code, reason, field) in CASES.items():
        stream = translation.TranslateStream(request)
        fields = check(refused(lambda stream=stream: next(stream)), code, reason)  # type: ignore[misc]
        assert (field in fields) if field else not fields, name


def test_message_says_what_is_served_and_what_the_limit_is(translation: Stub) -> None:
    """A refusal helps: it lists what there is, or the limit and the length."""
    unknown = refused(lambda: translation.Translate(Request(text=OK, model=Ref(name="xx"))))
    assert "served: en-de" in str(unknown.details())
    long = refused(lambda: translation.Translate(Request(text="house " * 300)))
    assert "300 pieces" in str(long.details())
    assert "is 256" in str(long.details())


@pytest.mark.parametrize(
    "method",
    [
        "/seq2serve.v1.TranslationService/Translate",
        "/seq2serve.v1.ModelService/GetModel",
        "/grpc.health.v1.Health/Check",
    ],
)
def test_bytes_that_do_not_parse(channel: grpc.Channel, method: str) -> None:
    """Garbage is the caller's fault, and no status carries an exception's text."""
    call: Any = channel.unary_unary(method)  # bytes in, bytes out
    error = refused(lambda: call(b"\xff\xff\xff\xff"))
    check(error, StatusCode.INVALID_ARGUMENT, "malformed_request")
    assert "Error" not in str(error.details())


def test_more_links_than_anybody_reads_are_refused(translation: Stub) -> None:
    """A small request does not get a reply of megabytes."""
    error = refused(lambda: translation.Translate(HEAVY))
    assert check(error, INVALID, "invalid_option") == ["output.alignment_min_weight"]
    assert "more than 65536 links" in str(error.details())


def test_a_million_pieces_are_refused_unread(translation: Stub) -> None:
    """Lists of pieces are counted before anything is looked up; where truncation was asked for they are cut first."""
    pieces = Tokens(pieces=["▁day"] * 400_000)
    error = refused(lambda: translation.Score(Score(source_text=OK, target_tokens=pieces)))
    assert check(error, INVALID, "invalid_option") == ["target_tokens"]
    error = refused(lambda: translation.Translate(Request(text=OK, target_prefix_tokens=pieces)))
    assert check(error, INVALID, "invalid_option") == ["target_prefix_tokens"]
    reply = translation.Translate(
        Request(
            tokens=pieces,
            input=Input(truncate=True),
            options=Options(max_length=3),
            output=Output(alignment=options_pb2.ALIGNMENT_MODE_HARD),
        )
    )
    assert reply.usage.truncated_source_tokens == 400_000 - 256
    assert reply.warnings[0].field == "tokens"


def test_notices_are_bounded_and_name_the_fields_of_their_request(translation: Stub) -> None:
    """A glossary of terms that are nowhere gives a hundred notices; a score's name its own fields."""
    terms = [Term(source=f"term{i}", target="x") for i in range(150)]
    warnings = translation.Translate(Request(text=OK, glossary=terms)).warnings
    assert len(warnings) == 101
    assert (warnings[-1].reason, warnings[-1].message) == ("left_out", "50 more notices are left out.")
    scored = translation.Score(Score(source_text="day " * 300, target_text="Tag", input=Input(truncate=True)))
    assert [notice.field for notice in scored.warnings] == ["source_text"]


def test_what_is_off_is_not_refused(translation: Stub) -> None:
    """Options that are set to what they are by default ask for nothing."""
    off = Options(use_shortlist=False, return_alternatives=False, top_k=1, coverage_penalty=0, beam_size=1)
    request = Request(text=OK, options=off, priority=0, input=Input(split_sentences=False))
    plain = translation.Translate(Request(text=OK))
    assert translation.Translate(request).hypotheses[0].text == plain.hypotheses[0].text


@pytest.mark.parametrize(
    "text",
    [
        "🙂🙃 emoji 👩‍👩‍👧",
        "bell \x07 and null \x00 inside",
        "\x00\x01\x1f",
        "x" * 10_000,
        "مرحبا بالعالم",
        "שלום \u202eעולם\u202c",  # noqa: RUF001
        "\ufeffbyte order mark",
        "zero\u200bwidth",
        "中文没有空格的句子",
        "\U0010ffff",
        "a\r\nb",
        "<unk> <s> </s> ▁",
    ],
)
def test_strange_text_gets_a_reply_or_a_clear_error(translation: Stub, text: str) -> None:
    """No text brings the server down or leaks an internal error."""
    try:
        reply = translation.Translate(Request(text=text))
        assert reply.usage.source_tokens >= 1
    except grpc.RpcError as error:
        check(error, StatusCode.INVALID_ARGUMENT, trailers_of(error)["seq2serve-reason"])
    assert translation.Translate(Request(text=OK)).hypotheses[0].text


def test_oversized_message_is_refused(translation: Stub) -> None:
    """Above 4 MiB gRPC itself refuses, and the server goes on."""
    error = refused(lambda: translation.Translate(Request(text="x" * (5 << 20))))
    assert error.code() is StatusCode.RESOURCE_EXHAUSTED
    assert translation.Translate(Request(text=OK)).hypotheses[0].text
