"""Bad input gets a clear refusal: the right code, one reason everywhere, and the fields at fault."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from benchmarks.metrics import scrape
from seq2serve.v1 import model_pb2, options_pb2, translation_pb2, translation_pb2_grpc
from tests.server_process import ServerProcess

Stub = translation_pb2_grpc.TranslationServiceStub
Request = translation_pb2.TranslateRequest
Ref, Options, Input = model_pb2.ModelRef, options_pb2.DecodeOptions, options_pb2.InputOptions
OK = "Hello."

CASES: dict[str, tuple[Request, StatusCode, str, str]] = {
    "nothing": (Request(), StatusCode.INVALID_ARGUMENT, "empty_source", "text"),
    "blank": (Request(text=" \t\n\u3000"), StatusCode.INVALID_ARGUMENT, "empty_source", "text"),
    "no tokens": (
        Request(tokens=options_pb2.Tokens()),
        StatusCode.INVALID_ARGUMENT,
        "empty_source",
        "tokens",
    ),
    "too long": (Request(text="house " * 300), StatusCode.INVALID_ARGUMENT, "source_too_long", "text"),
    "too many bytes": (Request(text="x" * 70_000), StatusCode.INVALID_ARGUMENT, "source_too_long", "text"),
    "beam 0": (
        Request(text=OK, options=Options(beam_size=0)),
        StatusCode.INVALID_ARGUMENT,
        "invalid_option",
        "options.beam_size",
    ),
    "beam above the cap": (
        Request(text=OK, options=Options(beam_size=13)),
        StatusCode.INVALID_ARGUMENT,
        "invalid_option",
        "options.beam_size",
    ),
    "beam not offered yet": (
        Request(text=OK, options=Options(beam_size=2)),
        StatusCode.FAILED_PRECONDITION,
        "unsupported_option",
        "options.beam_size",
    ),
    "hypotheses not offered yet": (
        Request(text=OK, options=Options(num_hypotheses=12)),
        StatusCode.FAILED_PRECONDITION,
        "unsupported_option",
        "options.num_hypotheses",
    ),
    "hypotheses above the cap": (
        Request(text=OK, options=Options(num_hypotheses=13)),
        StatusCode.INVALID_ARGUMENT,
        "invalid_option",
        "options.num_hypotheses",
    ),
    "max_length 0": (
        Request(text=OK, options=Options(max_length=0)),
        StatusCode.INVALID_ARGUMENT,
        "invalid_option",
        "options.max_length",
    ),
    "max_length above the limit": (
        Request(text=OK, options=Options(max_length=257)),
        StatusCode.INVALID_ARGUMENT,
        "invalid_option",
        "options.max_length",
    ),
    "ratio is no number": (
        Request(text=OK, options=Options(max_length_ratio=float("nan"))),
        StatusCode.INVALID_ARGUMENT,
        "invalid_option",
        "options.max_length_ratio",
    ),
    "sampling": (
        Request(text=OK, options=Options(temperature=0.7)),
        StatusCode.FAILED_PRECONDITION,
        "unsupported_option",
        "options.temperature",
    ),
    "splitting": (
        Request(text=OK, input=Input(split_sentences=True)),
        StatusCode.FAILED_PRECONDITION,
        "unsupported_option",
        "input.split_sentences",
    ),
    "glossary": (
        Request(text=OK, glossary=[translation_pb2.GlossaryTerm(source="a", target="b")]),
        StatusCode.FAILED_PRECONDITION,
        "unsupported_option",
        "glossary",
    ),
    "unknown model": (Request(text=OK, model=Ref(name="xx")), StatusCode.NOT_FOUND, "model_not_found", ""),
    "unknown version": (
        Request(text=OK, model=Ref(name="en-de", version=99)),
        StatusCode.NOT_FOUND,
        "version_not_found",
        "",
    ),
    "version 0": (
        Request(text=OK, model=Ref(name="en-de", version=0)),
        StatusCode.INVALID_ARGUMENT,
        "invalid_option",
        "model.version",
    ),
    "unknown languages": (
        Request(text=OK, source_language="fr"),
        StatusCode.NOT_FOUND,
        "language_pair_not_found",
        "",
    ),
    "model and languages disagree": (
        Request(text=OK, model=Ref(name="en-de"), target_language="fr"),
        StatusCode.INVALID_ARGUMENT,
        "model_language_mismatch",
        "",
    ),
    "request id": (Request(text=OK, request_id="ä"), StatusCode.INVALID_ARGUMENT, "invalid_option", "request_id"),
}


def refused(call: Callable[[], Any]) -> grpc.RpcError:
    """Return the error of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def check(error: grpc.RpcError, code: StatusCode, reason: str) -> list[str]:
    """Check code, trailers and details of an error; returns the fields that it names."""
    trailers = dict(error.trailing_metadata())
    assert error.code() is code
    assert trailers["seq2serve-reason"] == reason
    assert trailers["seq2serve-request-id"]
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info, fields = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == (reason.upper(), "seq2serve")
    assert status.code == code.value[0]
    if len(status.details) > 1:
        assert status.details[1].Unpack(fields)
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
    call = channel.unary_unary(method)  # bytes in, bytes out
    error = refused(lambda: call(b"\xff\xff\xff\xff"))
    check(error, StatusCode.INVALID_ARGUMENT, "malformed_request")
    assert "Error" not in str(error.details())


def test_methods_to_come_are_refused(translation: Stub) -> None:
    """What is declared and not served yet answers UNIMPLEMENTED, unary or streaming."""
    check(refused(lambda: translation.Score(translation_pb2.ScoreRequest())), StatusCode.UNIMPLEMENTED, "unimplemented")
    stream = translation.TranslateStream(Request(text=OK))
    check(refused(lambda: list(stream)), StatusCode.UNIMPLEMENTED, "unimplemented")
    bulk = translation.TranslateBulk(iter([Request(text=OK)]))
    check(refused(lambda: list(bulk)), StatusCode.UNIMPLEMENTED, "unimplemented")


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
        check(error, StatusCode.INVALID_ARGUMENT, dict(error.trailing_metadata())["seq2serve-reason"])
    assert translation.Translate(Request(text=OK)).hypotheses[0].text


def test_oversized_message_is_refused(translation: Stub) -> None:
    """Above 4 MiB gRPC itself refuses, and the server goes on."""
    error = refused(lambda: translation.Translate(Request(text="x" * (5 << 20))))
    assert error.code() is StatusCode.RESOURCE_EXHAUSTED
    assert translation.Translate(Request(text=OK)).hypotheses[0].text
