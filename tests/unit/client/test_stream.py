import asyncio
import threading

import grpc
import pytest

from seq2serve import errors
from seq2serve.v1 import translation_pb2


@pytest.fixture
def begun() -> threading.Semaphore:
    """Released for each endless translation that the server of `gone` has begun."""
    return threading.Semaphore(0)


@pytest.fixture
def gone(server, begun) -> threading.Event:
    """Set once the server sees the client of an endless translation go away."""
    event = threading.Event()

    def streaming(request, context):
        context.add_callback(event.set)
        begun.release()
        return server.endless(request, context)

    server.streaming = streaming
    return event


def failing_midway(server):
    def streaming(request, context):
        yield translation_pb2.TranslateEvent(delta=translation_pb2.TranslationDelta(text="half"))
        server.failing(grpc.StatusCode.UNAVAILABLE, "draining")(request, context)

    return streaming


def without_final(request, context):
    yield translation_pb2.TranslateEvent(accepted=translation_pb2.Accepted(request_id="r"))


def test_deltas_then_the_final(client, server) -> None:
    stream = client.translate_stream("a good day", model="en-de", stream_flush_tokens=1)
    assert (stream.accepted, stream.final) == (None, None)
    deltas = list(stream)

    assert "".join(map(str, deltas)) == stream.final.text == "A GOOD DAY"
    assert [(d.tokens, d.token_ids, d.token_scores) for d in deltas][1] == (("GOOD",), (1,), (-0.5,))
    assert (stream.accepted.request_id, str(stream.accepted.model), stream.accepted.source_tokens) == (
        "made-by-server",
        "en-de:1",
        3,
    )
    assert stream.result() is stream.final
    [request] = server.requests
    assert (request.model.name, request.output.stream_flush_tokens) == ("en-de", 1)


def test_accepted_is_there_before_the_first_delta(client) -> None:
    stream = client.translate_stream("a b")
    for _ in stream:
        assert stream.accepted is not None
        assert stream.final is None


def test_result_reads_to_the_end(client) -> None:
    assert client.translate_stream("a b").result().text == "A B"


def test_a_delta_comes_while_the_rest_is_not_there(client, server) -> None:
    seen = threading.Event()

    def streaming(request, context):
        first, *rest = server.stream(request, context)
        yield first
        yield rest[0]
        assert seen.wait(30)
        yield from rest[1:]

    server.streaming = streaming
    stream = client.translate_stream("a b")
    for _ in stream:
        seen.set()
    assert stream.final.text == "A B"


def test_leaving_the_loop_tells_the_server(client, gone) -> None:
    stream = client.translate_stream("a")
    for _ in stream:
        break
    assert gone.wait(30)
    with pytest.raises(errors.Cancelled):
        stream.result()


def test_leaving_the_block_tells_the_server(client, gone) -> None:
    with client.translate_stream("a") as stream:
        next(iter(stream))
    assert gone.wait(30)


def test_cancelled_from_another_thread(client, begun, gone) -> None:
    stream = client.translate_stream("a")
    threading.Thread(target=lambda: (begun.acquire(timeout=30), stream.cancel())).start()
    with pytest.raises(errors.Cancelled):
        list(stream)
    assert gone.wait(30)


def test_errors_of_a_stream(client, server) -> None:
    server.streaming = server.failing(grpc.StatusCode.INVALID_ARGUMENT, "empty_source")
    with pytest.raises(errors.EmptySource) as caught:
        client.translate_stream("a").result()
    assert caught.value.request_id == "request-7"

    server.streaming = failing_midway(server)
    stream = client.translate_stream("a")
    with pytest.raises(errors.Draining):
        list(stream)
    assert stream.final is None
    assert len(server.requests) == 2  # what was shown is never taken back by a repeat


def test_a_stream_without_final_is_an_error(client, server) -> None:
    server.streaming = without_final
    with pytest.raises(errors.InternalError, match="without a translation"):
        list(client.translate_stream("a"))


def test_a_stream_has_a_deadline(client, server) -> None:
    list(client.translate_stream("a"))
    list(client.translate_stream("a", timeout=500))
    default, own = server.time_remaining
    assert default < 31 < own


def test_async_deltas_then_the_final(with_async_client) -> None:
    async def body(client) -> None:
        async with client.translate_stream("a good day") as stream:
            deltas = [delta async for delta in stream]
        assert "".join(map(str, deltas)) == stream.final.text == "A GOOD DAY"
        assert stream.accepted.request_id == "made-by-server"
        assert await stream.result() is stream.final
        assert (await client.translate_stream("b").result()).text == "B"

    with_async_client(body)


def test_leaving_an_async_loop_tells_the_server(with_async_client, gone) -> None:
    async def body(client) -> None:
        stream = client.translate_stream("a")
        async for _ in stream:
            break
        assert await asyncio.to_thread(gone.wait, 30)
        with pytest.raises(errors.Cancelled):
            await stream.result()

    with_async_client(body)


def test_leaving_an_async_block_tells_the_server(with_async_client, gone) -> None:
    async def body(client) -> None:
        async with client.translate_stream("a") as stream:
            await anext(aiter(stream))
        assert await asyncio.to_thread(gone.wait, 30)

    with_async_client(body)


def test_cancelling_the_task_of_an_async_stream(with_async_client, begun, gone) -> None:
    """The task ends with asyncio's own error; cancelling only the stream gives ours."""

    async def body(client) -> None:
        streams = [client.translate_stream("a") for _ in range(2)]
        tasks = [asyncio.create_task(stream.result()) for stream in streams]
        for _ in streams:
            assert await asyncio.to_thread(begun.acquire, timeout=30)
        tasks[0].cancel()
        streams[1].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        with pytest.raises(errors.Cancelled):
            await tasks[1]
        assert await asyncio.to_thread(gone.wait, 30)

    with_async_client(body)


def test_errors_of_an_async_stream(with_async_client, server) -> None:
    async def body(client) -> None:
        server.streaming = failing_midway(server)
        stream = client.translate_stream("a")
        for _ in range(2):
            with pytest.raises(errors.Draining):
                await stream.result()
        server.streaming = without_final
        with pytest.raises(errors.InternalError):
            await client.translate_stream("a").result()

    with_async_client(body)
