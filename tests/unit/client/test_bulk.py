import asyncio
import contextlib
import itertools
import threading

import grpc
import pytest

from seq2serve import errors
from seq2serve.v1 import translation_pb2


def texts_of(results) -> list[tuple[int, str]]:
    return [(result.index, result.outcome.text) for result in results]


def backwards(server):
    def bulk(requests, context):
        yield from reversed(list(server.answer_each(requests, context)))

    return bulk


def failing_after_one(server):
    def bulk(requests, context):
        yield server.result(0, next(requests), context)
        server.failing(grpc.StatusCode.INTERNAL, "internal")(None, context)

    return bulk


def ending_after_one(server):
    def bulk(requests, context):
        yield server.result(0, next(requests), context)

    return bulk


def answering_one_of_two(server):
    def bulk(requests, context):
        first, _ = next(requests), next(requests)
        yield server.result(0, first, context)

    return bulk


@pytest.fixture
def gone(server) -> threading.Event:
    """Set once the server sees the end of the call."""
    event = threading.Event()

    def bulk(requests, context):
        context.add_callback(event.set)
        return server.answer_each(requests, context)

    server.bulk = bulk
    return event


def test_results_name_their_texts_in_any_order(client, server) -> None:
    server.bulk = backwards(server)
    server.statuses["bad"] = translation_pb2.ItemStatus(code=3, reason="empty_source", message="blank")
    last, middle, first = client.translate_bulk(["a", ("my-id", "bad"), ("c-id", "c")], model="en-de", beam_size=2)

    assert (first.index, first.request_id, first.outcome.text) == (0, "made-0", "A")
    assert (middle.index, middle.request_id, type(middle.outcome)) == (1, "my-id", errors.EmptySource)
    assert (last.index, last.request_id, last.outcome.request_id) == (2, "c-id", "c-id")
    assert {(r.model.name, r.options.beam_size) for r in server.bulk_requests} == {("en-de", 2)}


def test_no_texts_no_results(client) -> None:
    assert list(client.translate_bulk([])) == []


def test_many_texts(client) -> None:
    results = client.translate_bulk((f"text {n}" for n in range(2000)), in_flight=16)
    assert texts_of(results) == [(n, f"TEXT {n}") for n in range(2000)]


def test_endless_input_is_read_only_a_little_ahead(client) -> None:
    latest = 0

    def endless():
        nonlocal latest
        for latest in itertools.count(1):
            yield f"text {latest}"

    results = client.translate_bulk(endless(), in_flight=4)
    for taken, _ in enumerate(itertools.islice(results, 300), start=1):
        assert latest <= taken + 4 + 1  # one more is held by the reader
    results.close()


def test_a_result_comes_before_the_next_text_is_there(client) -> None:
    answered = threading.Event()

    def texts():
        yield "a"
        assert answered.wait(30)
        yield "b"

    results = client.translate_bulk(texts())
    assert next(results).outcome.text == "A"
    answered.set()
    assert next(results).outcome.text == "B"


def test_a_failing_input_is_raised_after_what_came_before(client) -> None:
    def failing():
        yield from ("a", "b")
        raise OSError("the disk is gone")

    results = client.translate_bulk(failing())
    assert texts_of([next(results), next(results)]) == [(0, "A"), (1, "B")]
    with pytest.raises(OSError, match="the disk is gone"):
        next(results)


def test_an_input_that_exits_is_raised_too(client) -> None:
    def exiting():
        yield "a"
        raise SystemExit("line 2 is no text")

    results = client.translate_bulk(exiting(), timeout=30)
    assert next(results).outcome.text == "A"
    with pytest.raises(SystemExit, match="line 2 is no text"):
        next(results)


def test_an_item_that_is_no_text_is_raised_too(client) -> None:
    results = client.translate_bulk(["a", 5])
    assert next(results).outcome.text == "A"
    with pytest.raises(TypeError, match="5 is neither"):
        next(results)


def test_what_is_wrong_with_the_call_is_raised_at_once(client) -> None:
    for wrong in (
        lambda: client.translate_bulk("text"),
        lambda: client.translate_bulk(["a"], beams=3),
        lambda: client.translate_bulk(["a"], request_id="one for all"),
    ):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(ValueError, match="in_flight"):
        client.translate_bulk(["a"], in_flight=0)


def test_leaving_the_loop_tells_the_server_and_ends_the_input(client, gone) -> None:
    ended = threading.Event()

    def endless():
        try:
            while True:
                yield "a"
        finally:
            ended.set()

    for _ in client.translate_bulk(endless(), in_flight=4):
        break
    assert gone.wait(30)
    assert ended.wait(30)


def test_a_failing_server_ends_the_input(client, server) -> None:
    server.bulk = failing_after_one(server)
    ended = threading.Event()

    def endless():
        try:
            while True:
                yield "a"
        finally:
            ended.set()

    results = client.translate_bulk(endless(), in_flight=1)
    assert next(results).outcome.text == "A"
    with pytest.raises(errors.InternalError):
        next(results)
    assert ended.wait(30)


def test_results_that_never_come_are_an_error(client, server) -> None:
    server.bulk = answering_one_of_two(server)
    results = client.translate_bulk(["a", "b"])
    assert next(results).outcome.text == "A"
    with pytest.raises(errors.InternalError, match="1 of 2"):
        next(results)


def test_no_deadline_unless_set(client, server) -> None:
    remaining = []

    def bulk(requests, context):
        remaining.append(context.time_remaining())
        yield from server.answer_each(requests, context)

    server.bulk = bulk
    list(client.translate_bulk(["a"]))
    list(client.translate_bulk(["a"], timeout=500))
    none, own = remaining
    assert none is None or none > 1e6
    assert own < 501


async def counted(stop: int | None = None):
    for number in itertools.count() if stop is None else range(stop):
        await asyncio.sleep(0)
        yield f"text {number}"


@pytest.mark.parametrize("texts", [lambda: counted(300), lambda: [f"text {n}" for n in range(300)]])
def test_async_bulk(with_async_client, texts) -> None:
    async def body(client) -> None:
        results = [result async for result in client.translate_bulk(texts(), in_flight=8)]
        assert texts_of(results) == [(n, f"TEXT {n}") for n in range(300)]

    with_async_client(body)


def test_async_endless_input_is_read_only_a_little_ahead(with_async_client) -> None:
    latest = 0

    async def endless():
        nonlocal latest
        async for text in counted():
            latest += 1
            yield text

    async def body(client) -> None:
        taken = 0
        async with contextlib.aclosing(client.translate_bulk(endless(), in_flight=4)) as results:
            async for _ in results:
                taken += 1
                assert latest <= taken + 4 + 1
                if taken == 300:
                    break

    with_async_client(body)


def test_async_failing_input(with_async_client) -> None:
    async def failing():
        yield "a"
        raise OSError("the disk is gone")

    async def body(client) -> None:
        results = client.translate_bulk(failing())
        assert (await anext(results)).outcome.text == "A"
        with pytest.raises(OSError, match="the disk is gone"):
            await anext(results)

    with_async_client(body)


class Stop(BaseException):
    """What is no error, and ends a loop all the same, as pytest's own."""


def test_async_input_that_stops(with_async_client) -> None:
    async def stopping():
        yield "a"
        raise Stop("line 2 is no text")

    async def body(client) -> None:
        results = client.translate_bulk(stopping(), timeout=30)
        assert (await anext(results)).outcome.text == "A"
        with pytest.raises(Stop, match="line 2 is no text"):
            await anext(results)

    with_async_client(body)


def test_async_input_that_awaits_what_was_cancelled(with_async_client) -> None:
    async def cancelled():
        yield "a"
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async def body(client) -> None:
        results = client.translate_bulk(cancelled(), timeout=30)
        assert (await anext(results)).outcome.text == "A"
        with pytest.raises(asyncio.CancelledError):
            await anext(results)

    with_async_client(body)


@pytest.mark.parametrize(
    ("make", "match"), [(failing_after_one, "no"), (ending_after_one, "ended the stream")], ids=["fails", "ends"]
)
def test_async_server_that_does_not_finish(with_async_client, server, make, match) -> None:
    server.bulk = make(server)

    async def body(client) -> None:
        ended = asyncio.Event()

        async def waiting():
            try:
                yield "a"
                await asyncio.Event().wait()
            finally:
                ended.set()

        results = client.translate_bulk(waiting())
        assert (await anext(results)).outcome.text == "A"
        with pytest.raises(errors.InternalError, match=match):
            await anext(results)
        await ended.wait()

    with_async_client(body)


def test_leaving_an_async_loop_tells_the_server_and_ends_the_input(with_async_client, gone) -> None:
    async def body(client) -> None:
        ended = asyncio.Event()

        async def endless():
            try:
                async for text in counted():
                    yield text
            finally:
                ended.set()

        async for _ in client.translate_bulk(endless(), in_flight=4):
            break
        await ended.wait()
        assert await asyncio.to_thread(gone.wait, 30)

    with_async_client(body)


def test_cancelling_the_task_of_an_async_bulk(with_async_client, gone) -> None:
    async def body(client) -> None:
        started = asyncio.Event()

        async def all_of_them() -> None:
            async for _ in client.translate_bulk(counted()):
                started.set()

        task = asyncio.create_task(all_of_them())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(gone.wait, 30)

    with_async_client(body)
