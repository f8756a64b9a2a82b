"""Bulk streams: any number of texts in one call, whose results come as they are done."""

import signal
import time
from collections.abc import Callable, Iterable
from itertools import cycle
from typing import Any, TypeAlias

import grpc
import pytest

from seq2serve import BulkResult, Client, Seq2ServeError, Translation
from seq2serve.v1 import options_pb2, translation_pb2, translation_pb2_grpc
from tests.server_process import ServerProcess

Stub = translation_pb2_grpc.TranslationServiceStub
Request: TypeAlias = translation_pb2.TranslateRequest
Result: TypeAlias = translation_pb2.TranslateResult
Options, Output = options_pb2.DecodeOptions, options_pb2.OutputOptions
BULK = "/seq2serve.v1.TranslationService/TranslateBulk"
GARDEN = "The children were playing in the garden when the rain began to fall."
WORDS = ("red", "green", "old", "new", "small", "large", "good", "bad", "dark", "warm")
SHORT = [f"The {a} house is {b}." for a in WORDS for b in WORDS] * 4


@pytest.fixture(scope="module")
def expected(client: Client) -> dict[str, str]:
    """Return what each short sentence is translated to alone."""
    sources = sorted(set(SHORT))
    pending = [client.submit(source) for source in sources]
    return {source: one.result().text for source, one in zip(sources, pending, strict=True)}


def test_bulk_answers_all_items(translation: Stub, expected: dict[str, str]) -> None:
    """Each result names its item, in whatever order; bad items have their own status; half-closing ends the call."""
    items = [Request(text=source) for source in SHORT[:200]]
    items[7], items[150].request_id = Request(text=" "), "mine"
    call = translation.TranslateBulk(iter(items), metadata=(("seq2serve-request-id", "bulk"),))
    results = {result.index: result for result in call}
    assert call.code() is grpc.StatusCode.OK
    assert sorted(results) == list(range(200))
    assert results[7].status.reason == "empty_source"
    for index, result in results.items():
        assert result.request_id == ("mine" if index == 150 else f"bulk-{index}")
        if index != 7:
            assert result.response.hypotheses[0].text == expected[SHORT[index]]


def test_bulk_does_not_wait_for_the_slowest(translation: Stub) -> None:
    """A short item that came later is answered before a long one."""
    slow = Request(text=GARDEN, options=Options(min_length=250, max_length=256))
    call = translation.TranslateBulk(iter([slow, *(Request(text=source) for source in SHORT[:20])]))
    assert [result.index for result in call][-1] == 0


def test_empty_bulk_ends_well(translation: Stub) -> None:
    """Nothing in, nothing out."""
    call = translation.TranslateBulk(iter(()))
    assert list(call) == []
    assert call.code() is grpc.StatusCode.OK


def test_slow_reader_loses_nothing(translation: Stub) -> None:
    """Results that the client does not take fill what HTTP/2 holds, and wait; so do the items behind them."""
    output = Output(alignment=options_pb2.ALIGNMENT_MODE_SOFT_SPARSE, alignment_min_weight=0.0, tokens=True)
    call = translation.TranslateBulk(Request(text=" ".join([source] * 4), output=output) for source in SHORT[:100])
    first = next(call)
    time.sleep(1)
    results = [first, *call]
    assert {result.status.code for result in results} == {0}
    assert sum(result.ByteSize() for result in results) > 1 << 18  # four times the window of a stream
    assert sorted(result.index for result in results) == list(range(100))


def test_what_came_before_a_malformed_item_is_answered(channel: grpc.Channel) -> None:
    """Bytes that do not parse end the call, after the results of the items before them."""
    good = [Request(text=source).SerializeToString() for source in SHORT[:20]]
    call: Any = channel.stream_stream(BULK)  # bytes in, bytes out
    results: list[Result] = []
    with pytest.raises(grpc.RpcError) as caught:
        results.extend(Result.FromString(raw) for raw in call(iter([*good, b"\xff\xff\xff\xff", good[0]])))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    trailers: dict[str, Any] = {trailer.key: trailer.value for trailer in caught.value.trailing_metadata()}
    assert trailers["seq2serve-reason"] == "malformed_request"
    assert sorted(result.index for result in results) == list(range(20))
    assert {result.status.code for result in results} == {0}


def test_drained_bulk_answers_what_was_read() -> None:
    """After SIGTERM the results of all items that were read come, then the call ends with `draining`."""
    answered: list[int] = []

    def consume(server: ServerProcess, results: Iterable[BulkResult]) -> None:
        for result in results:
            assert isinstance(result.outcome, Translation)
            answered.append(result.index)
            if len(answered) == 100:
                server.process.send_signal(signal.SIGTERM)

    with ServerProcess() as server, Client(server.address) as client:
        with pytest.raises(Seq2ServeError) as caught:
            consume(server, client.translate_bulk(cycle(SHORT)))
        assert server.process.wait(60) == 0
    assert caught.value.reason == "draining"
    assert sorted(answered) == list(range(len(answered)))
    assert len(answered) > 100


def test_no_connection_closes_before_the_last_stream_has_ended() -> None:
    """A client that writes would lose its status with the connection: until then a draining server takes calls."""
    output = Output(alignment=options_pb2.ALIGNMENT_MODE_SOFT_SPARSE, alignment_min_weight=0.0, tokens=True)
    items = (Request(text=" ".join([source] * 4), output=output) for source in cycle(SHORT))
    with ServerProcess() as server, grpc.insecure_channel(server.address) as channel, Client(server.address) as client:
        unread = Stub(channel).TranslateBulk(items)  # what nobody reads keeps the stream open
        next(unread)
        other = client.translate_bulk(cycle(SHORT))
        next(other)
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(Seq2ServeError) as caught:
            list(other)
        assert caught.value.reason == "draining"
        assert client.translate(GARDEN).text
        with pytest.raises(grpc.RpcError) as ended:
            list(unread)
        trailers: dict[str, Any] = {trailer.key: trailer.value for trailer in ended.value.trailing_metadata()}
        assert trailers["seq2serve-reason"] == "draining"
        assert server.process.wait(60) == 0


def test_cancelled_bulk_frees_its_slots(client: Client, cancels: Callable[[Callable[[], object]], None]) -> None:
    """Who leaves in mid-stream leaves nothing running and nothing in line."""
    results = client.translate_bulk([GARDEN] * 1000, min_length=35)
    next(results)
    cancels(results.close)
    assert client.translate(GARDEN).text
