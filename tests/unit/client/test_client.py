import asyncio
import math

import grpc
import pytest

from seq2serve import AsyncClient, Client, LanguagePair, Sentence, Tokens, Word, errors
from seq2serve.v1 import translation_pb2


def test_translate(client, server) -> None:
    translation = client.translate("good day", model="en-de", target_language="de", scores=True)

    assert str(translation) == translation.text == "GOOD DAY"
    assert str(translation.model) == "en-de:1"
    assert translation.hypotheses[0].finish_reason == "eos"
    assert translation.hypotheses[0].score == pytest.approx(-0.2)
    assert translation.hypotheses[0].log_probability is None
    assert translation.timing.total == pytest.approx(0.02)
    assert translation.usage.source_tokens == 3
    assert translation.request_id == "made-by-server"
    [request] = server.requests
    assert (request.model.name, request.target_language) == ("en-de", "de")


def test_score_is_none_unless_asked_for(client) -> None:
    assert client.translate("a").hypotheses[0].score is None


def test_everything_in_a_reply(client, server) -> None:
    def full(request, context):
        reply = server.reply(request, context)
        reply.source_tokens.extend(["▁hi", "</s>"])
        reply.source_words.add(text="hi", start=0, end=2)
        reply.sentences.add(source="hi", target="HI", finish_reason=translation_pb2.FINISH_REASON_LENGTH, score=-0.5)
        reply.sentences.add(source="ho", target="HO")
        reply.seed = 2**64 - 1
        return reply

    server.every = full
    translation = client.translate("hi")
    assert translation.source_tokens == ("▁hi", "</s>")
    assert translation.source_words == (Word("hi", 0, 2),)
    assert translation.sentences == (Sentence("hi", "HI", "length", -0.5), Sentence("ho", "HO", "unspecified", None))
    assert translation.seed == 2**64 - 1


def test_source_as_pieces(client, server) -> None:
    client.translate(Tokens(["▁good", "▁day"]))
    [request] = server.requests
    assert list(request.tokens.pieces) == ["▁good", "▁day"]


def test_score(client, server) -> None:
    scored = client.score("hi", "ho", model="en-de", token_scores=True)
    assert (scored.score, scored.log_probability, scored.token_scores) == (-0.25, -0.75, (-0.25,) * 3)
    assert (scored.hypothesis.text, str(scored.model), scored.request_id) == ("ho", "en-de:1", "made")
    assert scored.timing is None
    [request] = server.score_requests
    assert (request.source_text, request.target_text, request.model.name) == ("hi", "ho", "en-de")


def test_score_fails_like_a_translation(client, server) -> None:
    server.scoring = server.failing(grpc.StatusCode.INVALID_ARGUMENT, "empty_source")
    with pytest.raises(errors.EmptySource):
        client.score("", "a")
    with pytest.raises(errors.EmptySource):
        client.submit_score("", "a").result()


def test_submit_returns_before_the_reply(client, server) -> None:
    server.behaviours["slow"] = server.hang
    pending = client.submit("slow")
    assert client.translate("fast").text == "FAST"
    server.stopping.set()
    assert pending.result().text == "SLOW"


def test_cancelled_submission(client, server) -> None:
    server.behaviours["slow"] = server.hang
    pending = client.submit("slow")
    pending.cancel()
    with pytest.raises(errors.Cancelled):
        pending.result()


def test_models(client) -> None:
    [model] = client.models()
    assert (model.name, model.version, model.state) == ("en-de", 1, "available")
    assert model.is_default
    assert model.languages == (LanguagePair("en", "de"),)
    assert model.versions == {1: "available"}
    assert model.aliases == {"stable": 1}
    assert model.limits["max_source_tokens"] == 256
    assert model.default_options == {"beam_size": 1, "max_length_ratio": 2.0}
    assert model.precision == "fp32"
    assert model.training_scores[0].metric == "bleu"
    assert client.model() == client.model("en-de:1") == model


def test_unknown_model_and_version(client) -> None:
    with pytest.raises(errors.ModelNotFound, match="served: en-de"):
        client.model("xx")
    with pytest.raises(errors.VersionNotFound):
        client.model("en-de:9")


def test_every_call_has_a_deadline(server) -> None:
    assert Client(server.address).timeout == 30
    with Client(server.address, timeout=1000) as client:
        client.translate("a")
        client.translate("b", timeout=5000)
    default, own = server.time_remaining
    assert default < 3000 < own < 7000


@pytest.mark.parametrize("timeout", [1e12, float("inf")])
def test_a_time_limit_that_nobody_lives_to_see(client, server, with_async_client, timeout) -> None:
    assert client.translate("a", timeout=timeout).text == "A"
    assert [result.outcome.text for result in client.translate_bulk(["a"], timeout=timeout)] == ["A"]

    async def body(client) -> None:
        assert (await client.translate("a", timeout=timeout)).text == "A"
        assert [result.outcome.text async for result in client.translate_bulk(["a"], timeout=timeout)] == ["A"]

    with_async_client(body)
    assert min(server.time_remaining) > 9e7  # gRPC tells no more than 27,000 hours


def test_deadline(client, server) -> None:
    server.every = server.hang
    with pytest.raises(errors.DeadlineExceeded):
        client.translate("a", timeout=0.05)


def test_retries_until_it_works(client, server) -> None:
    outcomes = iter(
        [
            server.failing(grpc.StatusCode.UNAVAILABLE, "draining"),
            server.failing(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue_full"),
            server.reply,
        ]
    )
    server.every = lambda request, context: next(outcomes)(request, context)
    assert client.translate("a").text == "A"
    assert len(server.requests) == 3


def test_gives_up_after_four_attempts(client, server) -> None:
    server.every = server.failing(grpc.StatusCode.UNAVAILABLE, "draining")
    with pytest.raises(errors.Draining):
        client.translate("a")
    assert len(server.requests) == 4


def test_obeys_a_server_that_forbids_the_repeat(client, server) -> None:
    def full(_, context):
        context.set_trailing_metadata((("seq2serve-reason", "queue_full"), ("grpc-retry-pushback-ms", "-1")))
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")

    server.every = full
    with pytest.raises(errors.QueueFull):
        client.translate("a")
    assert len(server.requests) == 1


def test_nothing_else_is_retried(client, server) -> None:
    server.every = server.failing(grpc.StatusCode.INTERNAL, "internal")
    with pytest.raises(errors.InternalError):
        client.translate("a")
    assert len(server.requests) == 1


def test_tls_credentials_are_used(server) -> None:
    with (
        Client(server.address, credentials=grpc.ssl_channel_credentials()) as client,
        pytest.raises(errors.Unavailable),  # this server speaks no TLS
    ):
        client.translate("a")
    assert server.requests == []


def test_async_client(server) -> None:
    async def calls():
        async with AsyncClient(server.address) as client:
            texts = [f"text {n}" for n in range(20)]
            translations = await asyncio.gather(*map(client.translate, texts))
            return translations, await client.models(), await client.model("en-de")

    translations, models, model = asyncio.run(calls())
    assert [t.text for t in translations] == [f"TEXT {n}" for n in range(20)]
    assert models == [model]
    assert all(math.isclose(t.timing.total, 0.02) for t in translations)


def test_async_errors_retries_and_deadline(server) -> None:
    outcomes = iter([server.failing(grpc.StatusCode.UNAVAILABLE, "draining"), server.reply])
    server.behaviours = {
        "flaky": lambda request, context: next(outcomes)(request, context),
        "bad": server.failing(grpc.StatusCode.INVALID_ARGUMENT, "source_too_long", "300 > 256"),
        "slow": server.hang,
    }

    async def calls():
        async with AsyncClient(server.address) as client:
            assert (await client.translate("flaky")).text == "FLAKY"
            with pytest.raises(errors.SourceTooLong, match="300 > 256") as caught:
                await client.translate("bad")
            assert caught.value.request_id == "request-7"
            with pytest.raises(errors.DeadlineExceeded):
                await client.translate("slow", timeout=0.05)

    asyncio.run(calls())


def test_cancelling_an_async_call_reaches_the_server(server) -> None:
    async def calls():
        async with AsyncClient(server.address) as client:
            loop, began, ended = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

            def hang(request, context):
                context.add_callback(lambda: loop.call_soon_threadsafe(ended.set))
                loop.call_soon_threadsafe(began.set)
                return server.hang(request, context)

            server.every = hang
            task = asyncio.create_task(client.translate("a"))
            await began.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(ended.wait(), 30)

    asyncio.run(calls())


def test_async_score(with_async_client) -> None:
    async def body(client) -> None:
        assert (await client.score("hi", "ho")).log_probability == -0.75

    with_async_client(body)


def test_closing_an_async_client_cancels_its_calls_and_not_their_tasks(server) -> None:
    server.every = server.hang

    async def calls():
        client = AsyncClient(server.address)
        task = asyncio.create_task(client.translate("a"))
        await asyncio.sleep(0.1)
        await client.close()
        with pytest.raises(errors.Cancelled):
            await task

    asyncio.run(calls())


def test_models_by_language(client, server) -> None:
    assert client.models(source_language="en", target_language="de")
    [request] = server.list_requests
    assert (request.source_language, request.target_language) == ("en", "de")
