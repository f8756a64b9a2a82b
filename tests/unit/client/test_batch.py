import grpc
import pytest

from seq2serve import AsyncClient, FieldViolation, Tokens, Translation, errors
from seq2serve.v1 import translation_pb2

TOO_LONG = translation_pb2.ItemStatus(
    code=grpc.StatusCode.INVALID_ARGUMENT.value[0],
    reason="source_too_long",
    message="300 > 256",
    field_violations=[translation_pb2.FieldViolation(field="text", description="at most 256 pieces")],
)


def full() -> translation_pb2.ItemStatus:
    status = translation_pb2.ItemStatus(code=grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], reason="queue_full")
    status.retry_after.FromMilliseconds(1500)
    return status


def test_outcomes_in_order(client, server) -> None:
    server.statuses["bad"] = TOO_LONG
    first, bad, third = client.translate_batch(["a", ("my-id", "bad"), ("third", "c")], scores=True)

    assert isinstance(first, Translation)
    assert (first.text, first.hypotheses[0].score) == ("A", pytest.approx(-0.2))
    assert type(bad) is errors.SourceTooLong
    assert (str(bad), bad.reason, bad.code) == ("300 > 256", "source_too_long", grpc.StatusCode.INVALID_ARGUMENT)
    assert (bad.request_id, bad.retry_after) == ("my-id", None)
    assert bad.field_violations == (FieldViolation("text", "at most 256 pieces"),)
    assert (third.text, third.request_id) == ("C", "third")


def test_options_are_sent_once(client, server) -> None:
    client.translate_batch(["a", Tokens(["b"])], model="en-de", beam_size=3, request_id="call")
    [request] = server.batches
    assert request.request_id == "call"
    assert (request.defaults.model.name, request.defaults.options.beam_size) == ("en-de", 3)
    assert [item.WhichOneof("source") for item in request.items] == ["text", "tokens"]
    assert not any(item.HasField("options") for item in request.items)


def test_when_to_try_an_item_again(client, server) -> None:
    server.statuses["bad"] = full()
    [bad] = client.translate_batch(["bad"])
    assert type(bad) is errors.QueueFull
    assert bad.retry_after == 1.5


def test_an_item_that_failed_in_an_unknown_way(client, server) -> None:
    server.statuses["new"] = translation_pb2.ItemStatus(code=3, reason="too_rude", message="no")
    server.statuses["odd"] = translation_pb2.ItemStatus(code=99, message="no")
    new, odd = client.translate_batch(["new", "odd"])
    assert (type(new), new.reason) == (errors.InvalidRequest, "too_rude")
    assert (type(odd), odd.code) == (errors.Seq2ServeError, grpc.StatusCode.UNKNOWN)


def test_nothing_to_translate_is_no_call(client, server) -> None:
    assert client.translate_batch([]) == []
    assert server.batches == []


def test_a_batch_that_fails_as_a_whole(client, server) -> None:
    server.batch = server.failing(grpc.StatusCode.INVALID_ARGUMENT, "invalid_option")
    with pytest.raises(errors.InvalidOption):
        client.translate_batch(["a"])


def test_a_large_reply(client, server) -> None:
    text = "a" * (5 << 20)
    server.batch = lambda request, context: translation_pb2.TranslateBatchResponse(
        results=[server.result(0, translation_pb2.TranslateRequest(text=text), context)]
    )
    [translation] = client.translate_batch(["a"])
    assert len(translation.text) == len(text)


def test_async_batch(with_async_client, server) -> None:
    server.statuses["bad"] = TOO_LONG

    async def body(client: AsyncClient) -> None:
        first, bad = await client.translate_batch(["a", "bad"])
        assert first.text == "A"
        assert type(bad) is errors.SourceTooLong
        assert await client.translate_batch([]) == []
        with pytest.raises(TypeError):
            await client.translate_batch("text")

    with_async_client(body)
