"""Batches: many texts in one call, each with an outcome of its own."""

from collections.abc import Iterator
from typing import TypeAlias

import grpc
import pytest

from benchmarks.metrics import scrape
from seq2serve import Client
from seq2serve.v1 import model_pb2, options_pb2, translation_pb2, translation_pb2_grpc
from tests.eventually import eventually
from tests.server_process import ServerProcess

Stub = translation_pb2_grpc.TranslationServiceStub
Batch: TypeAlias = translation_pb2.TranslateBatchRequest
Request: TypeAlias = translation_pb2.TranslateRequest
Result: TypeAlias = translation_pb2.TranslateResult
Options, Output = options_pb2.DecodeOptions, options_pb2.OutputOptions
GARDEN = "The children were playing in the garden when the rain began to fall."
WORDS = ("red", "green", "old", "new", "small", "large", "good", "bad", "dark", "warm")
WIDTH = 4  # hypotheses, so that a thousand texts take long enough to come in between
SHORT = [f"The {a} house is {b}." for a in WORDS for b in WORDS] * 10
DOCUMENT = " ".join(SHORT[:24])


@pytest.fixture(scope="module")
def narrow() -> Iterator[ServerProcess]:
    """Start a server with few slots and a short line."""
    with ServerProcess("--slots", "8", "--queue-limit", "16") as process:
        yield process


@pytest.fixture(scope="module")
def expected(client: Client) -> dict[str, str]:
    """Return what each short sentence is translated to alone."""
    sources = sorted(set(SHORT))
    pending = [client.submit(source, beam_size=WIDTH) for source in sources]
    return {source: one.result().text for source, one in zip(sources, pending, strict=True)}


def ids(result: Result) -> list[int]:
    """Return the pieces of an item that went well."""
    assert (result.status.code, result.status.reason, result.status.message) == (0, "", "")
    return list(result.response.hypotheses[0].token_ids)


def reason_of(error: grpc.RpcError) -> str | bytes:
    """Return the reason in the trailers of an error."""
    return {trailer.key: trailer.value for trailer in error.trailing_metadata()}["seq2serve-reason"]


def test_batch_answers_each_item_in_order(translation: Stub) -> None:
    """Every item has its index, an id, and the status and reply of a call of its own."""
    items = [
        Request(text=GARDEN),
        Request(),
        Request(text=GARDEN, options=Options(beam_size=5), request_id="mine"),
        Request(text="house " * 300),
        Request(text="It is late.", options=Options(beam_size=99)),
        Request(text="It is late.", model=model_pb2.ModelRef(name="nobody")),
        Request(text="It is late.", request_id="ä"),
        Request(text="It is late."),
    ]
    reply = translation.TranslateBatch(Batch(request_id="call", items=items))
    assert reply.request_id == "call"
    assert [result.index for result in reply.results] == list(range(8))
    assert [result.request_id for result in reply.results] == [
        "call-0", "call-1", "mine", "call-3", "call-4", "call-5", "call-6", "call-7",
    ]  # fmt: skip
    assert [result.status.reason for result in reply.results] == [
        "", "empty_source", "", "source_too_long", "invalid_option", "model_not_found", "invalid_option", "",
    ]  # fmt: skip
    for item, result in zip(items, reply.results, strict=True):
        assert result.HasField("status")
        if not result.status.code:
            alone = translation.Translate(item)
            assert result.response.hypotheses == alone.hypotheses
            assert result.response.request_id == result.request_id
        else:
            with pytest.raises(grpc.RpcError) as caught:
                translation.Translate(item)
            assert (result.status.code, result.status.message) == (caught.value.code().value[0], caught.value.details())
            assert not result.HasField("response")
    assert reply.results[4].status.field_violations[0].field == "options.beam_size"


def test_defaults_are_merged_into_items(translation: Stub) -> None:
    """What an item leaves unset comes from the defaults, what it sets is its own, and repeated fields add up."""
    defaults = Request(
        options=Options(beam_size=5, end_tokens=[","]), output=Output(tokens=True, timing=False), target_prefix="Die"
    )
    items = [
        Request(text=GARDEN),
        Request(text=GARDEN, options=Options(beam_size=1), target_prefix="Als"),
        Request(text=GARDEN, options=Options(end_tokens=["▁im"]), output=Output(timing=True)),
    ]
    whole = [
        Request(text=GARDEN, options=defaults.options, output=defaults.output, target_prefix="Die"),
        Request(
            text=GARDEN, options=Options(beam_size=1, end_tokens=[","]), output=defaults.output, target_prefix="Als"
        ),
        Request(
            text=GARDEN, options=Options(beam_size=5, end_tokens=[",", "▁im"]), output=Output(tokens=True),
            target_prefix="Die",
        ),
    ]  # fmt: skip
    results = translation.TranslateBatch(Batch(items=items, defaults=defaults)).results
    for result, request in zip(results, whole, strict=True):
        assert ids(result) == list(translation.Translate(request).hypotheses[0].token_ids) != []
    assert [result.response.HasField("timing") for result in results] == [False, False, True]
    assert len({str(ids(result)) for result in results}) == 3


@pytest.mark.parametrize(
    ("batch", "field"),
    [
        (Batch(), "items"),
        (Batch(items=[Request(text="Yes.")] * 1025), "items"),
        (Batch(items=[Request(text="Yes.")], defaults=Request(text="No.")), "defaults.text"),
        (Batch(items=[Request()], defaults=Request(tokens=options_pb2.Tokens(pieces=["▁No"]))), "defaults.tokens"),
        (Batch(items=[Request(text="Yes.")], defaults=Request(request_id="x")), "defaults.request_id"),
        (Batch(items=[Request(text="Yes.")], request_id="ä"), "request_id"),
    ],
)
def test_bad_batch_is_refused_as_a_whole(translation: Stub, batch: Batch, field: str) -> None:
    """What is wrong with the batch and not with an item fails the call."""
    with pytest.raises(grpc.RpcError) as caught:
        translation.TranslateBatch(batch)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(caught.value) == "invalid_option"
    assert str(caught.value.details()).startswith(f"{field}: ")


@pytest.mark.parametrize("name", ["server", "narrow"])
def test_thousand_items_are_answered_and_leave_room(
    request: pytest.FixtureRequest, expected: dict[str, str], name: str
) -> None:
    """However short the line is, no item of a large batch is refused, and another client need not wait for its end."""
    server: ServerProcess = request.getfixturevalue(name)
    with grpc.insecure_channel(server.address) as channel, Client(server.address) as other:
        stub = translation_pb2_grpc.TranslationServiceStub(channel)
        assert other.translate("It is late.").text  # it is connected before the batch is there
        items = [Request(text=source, options=Options(beam_size=WIDTH)) for source in SHORT]
        batch = stub.TranslateBatch.future(Batch(items=items))
        while not scrape(server.http).get("seq2serve_slots_active"):
            assert not batch.done()
        assert other.translate("It is late.").text
        assert not batch.done()
        results = batch.result(120).results
    assert [result.status.reason for result in results] == [""] * 1000
    assert [result.response.hypotheses[0].text for result in results] == [expected[source] for source in SHORT]


def test_wide_items_are_answered_on_a_narrow_server(narrow: ServerProcess) -> None:
    """Items that take several slots each, among others that take one, wait for each other."""
    items = [
        Request(text=source, options=Options(beam_size=1 + i % 8), output=Output(tokens=True))
        for i, source in enumerate(SHORT[:24])
    ]
    with grpc.insecure_channel(narrow.address) as channel:
        stub = translation_pb2_grpc.TranslationServiceStub(channel)
        named = (("seq2serve-request-id", "wide"),)
        assert all(ids(result) for result in stub.TranslateBatch(Batch(items=items), metadata=named).results)
        assert all(ids(result) for result in stub.TranslateBulk(iter(items), metadata=named))

    def logged() -> list[str]:
        return [line for line in narrow.log().splitlines() if '"id": "wide"' in line]

    assert eventually(lambda: len(logged()) == 2)
    assert all('"model": "en-de/1"' in line for line in logged())  # the access log says which it was


def test_document_of_many_sentences_is_translated_on_a_narrow_server(
    narrow: ServerProcess, expected: dict[str, str]
) -> None:
    """More sentences than the line is long are no reason to refuse a document, or a batch of documents."""
    translated = " ".join(expected[source] for source in SHORT[:24])
    with Client(narrow.address, timeout=120) as client:
        assert client.translate(DOCUMENT, split_sentences=True, beam_size=WIDTH).text == translated
        assert client.translate(DOCUMENT, split_sentences=True, beam_size=8).text
        with client.translate_stream(DOCUMENT, split_sentences=True, beam_size=WIDTH) as stream:
            assert "".join(delta.text for delta in stream) == translated
        outcomes = client.translate_batch([DOCUMENT] * 2, split_sentences=True, beam_size=WIDTH)
        assert [str(outcome) for outcome in outcomes] == [translated] * 2
