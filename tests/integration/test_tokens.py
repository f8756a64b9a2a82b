"""Bearer tokens at a real server: who gets in, what the others are told, and what is written down."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from benchmarks.metrics import scrape
from seq2serve import AsyncClient, Client, PermissionDenied, Seq2ServeError, Unauthenticated
from service.tokens import digest_of
from tests.eventually import eventually
from tests.server_process import ServerProcess

READER, OPERATOR, STRANGER = "token-of-the-reader", "token-of-the-operator", "token-of-a-stranger"
TRANSLATE = "/seq2serve.v1.TranslationService/Translate"


def line(name: str, scopes: str, token: str) -> str:
    return f"{name} {scopes} {digest_of(token).hex()}\n"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokens") / "tokens"
    path.write_text(line("reader", "translate", READER) + line("operator", "admin", OPERATOR))
    return path


@pytest.fixture(scope="module")
def server(file: Path) -> Iterator[ServerProcess]:
    with ServerProcess("--token-file", str(file), "--log-format", "json") as process:
        yield process


def refused(server: ServerProcess, token: str | None) -> Seq2ServeError:
    """Return the error of a client that must not be served."""
    with Client(server.address, token=token) as client, pytest.raises(Seq2ServeError) as error:
        client.translate("Good morning.")
    return error.value


def test_every_call_of_both_clients_shows_the_token(server: ServerProcess) -> None:
    """With a token that has the scope, each method answers."""
    with Client(server.address, token=READER) as client:
        assert client.translate("Good morning.").text
        assert client.submit("Good morning.").result().text
        assert "".join(map(str, client.translate_stream("Good morning.")))
        assert len(client.translate_batch(["Good morning."])) == 1
        assert len(list(client.translate_bulk(["Good morning."]))) == 1
        assert client.score("Good morning.", "Guten Morgen.").score < 0
        assert client.submit_score("Good morning.", "Guten Morgen.").result().score < 0
        assert client.models()
        assert client.model().name == "en-de"

    async def calls() -> None:
        async with AsyncClient(server.address, token=READER) as client:
            assert (await client.translate("Good morning.")).text
            assert [delta async for delta in client.translate_stream("Good morning.")]
            assert len(await client.translate_batch(["Good morning."])) == 1
            assert len([result async for result in client.translate_bulk(["Good morning."])]) == 1
            assert (await client.score("Good morning.", "Guten Morgen.")).score < 0
            assert await client.models()
            assert (await client.model()).name == "en-de"

    asyncio.run(calls())


@pytest.mark.parametrize("token", [None, STRANGER])
def test_without_a_known_token_nothing_is_served(server: ServerProcess, token: str | None) -> None:
    """Unary, streamed and reflected calls alike; the message does not quote the token."""
    assert isinstance(refused(server, token), Unauthenticated)
    with Client(server.address, token=token) as client:
        for call in (lambda: list(client.translate_stream("Hi.")), lambda: list(client.translate_bulk(["Hi."]))):
            with pytest.raises(Unauthenticated) as error:
                call()
            assert STRANGER not in str(error.value)
    with grpc.insecure_channel(server.address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        with pytest.raises(grpc.RpcError) as unknown:
            list(stub.ServerReflectionInfo(asked))
        assert unknown.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_token_without_the_scope_is_told_so(server: ServerProcess) -> None:
    """It is known, and not for this method."""
    error = refused(server, OPERATOR)
    assert isinstance(error, PermissionDenied)
    assert "'operator' lacks the scope 'translate'" in str(error)


def test_health_answers_without_a_token(server: ServerProcess) -> None:
    """Balancers and orchestrators have none."""
    with grpc.insecure_channel(server.address) as channel:
        assert health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status == 1


def test_a_refusal_is_an_error_like_all_others(server: ServerProcess) -> None:
    """Trailers and ErrorInfo hold the reason, bytes that are no message change nothing, and metrics count it."""
    counter = "seq2serve_requests_rejected_total{unauthenticated}"
    handled = "grpc_server_handled_total{UNAUTHENTICATED,Translate,seq2serve.v1.TranslationService,unary}"
    before = scrape(server.http)
    with grpc.insecure_channel(server.address) as channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(TRANSLATE)(b"\xff\xff", metadata=(("seq2serve-request-id", "mine"),))
    trailers = dict(iter(error.value.trailing_metadata()))
    assert (trailers["seq2serve-reason"], trailers["seq2serve-request-id"]) == ("unauthenticated", "mine")
    [detail] = status_pb2.Status.FromString(trailers["grpc-status-details-bin"]).details
    info = error_details_pb2.ErrorInfo()
    assert detail.Unpack(info)
    assert (info.reason, info.domain) == ("UNAUTHENTICATED", "seq2serve")
    after = scrape(server.http)
    assert after[counter] == before.get(counter, 0) + 1
    assert after[handled] == before.get(handled, 0) + 1


def test_the_access_log_has_the_name_of_the_token(server: ServerProcess) -> None:
    """And never the token; who shows an unknown one has no name."""
    with Client(server.address, token=READER) as client:
        client.translate("Good morning.", request_id="named")
    refused(server, STRANGER)
    refused(server, OPERATOR)
    with grpc.insecure_channel(server.address) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary(TRANSLATE)(b"", metadata=(("seq2serve-client", "reader"),))  # which anybody may claim
    assert eventually(lambda: '"id": "named"' in server.log() and "permission_denied" in server.log())
    entries = [json.loads(entry) for entry in server.log().splitlines() if entry.startswith("{")]
    calls = {entry["id"]: entry for entry in entries if entry["event"] == "call" and "id" in entry}
    assert calls["named"]["client"] == "reader"
    for reason, name in (("unauthenticated", None), ("permission_denied", "operator")):
        assert {entry.get("client") for entry in calls.values() if entry.get("reason") == reason} == {name}
    assert not any(token in server.log() for token in (READER, OPERATOR, STRANGER))


def test_the_file_is_followed_and_a_broken_one_opens_nothing(tmp_path: Path) -> None:
    """Who is taken out is refused, who is put in is served; with an empty file all stays as it was."""
    file = tmp_path / "tokens"
    file.write_text(line("reader", "translate", READER))
    with ServerProcess("--token-file", str(file)) as server:
        file.write_text(line("other", "translate", STRANGER))
        assert eventually(lambda: "read again" in server.log())
        assert isinstance(refused(server, READER), Unauthenticated)
        file.write_text("")
        assert eventually(lambda: "stays in force: token file" in server.log())
        assert isinstance(refused(server, None), Unauthenticated)
        with Client(server.address, token=STRANGER) as client:
            assert client.translate("Good morning.").text
        assert "travel in clear" not in server.log()


def test_tokens_in_clear_on_a_network_are_warned_of(file: Path) -> None:
    """A proxy may end TLS before the server, so it starts, and says what that means."""
    with ServerProcess("--token-file", str(file), "--grpc-address", "0.0.0.0:0") as server:
        assert "tokens travel in clear to 0.0.0.0:0: set --tls-certificate" in server.log()


def test_a_broken_file_stops_the_start(tmp_path: Path) -> None:
    """A server that was asked for tokens never starts without."""
    file = tmp_path / "tokens"
    file.write_text(f"reader translate {READER}\n")
    with pytest.raises(RuntimeError, match=f"error: token file {file}, line 1: ") as error:
        ServerProcess("--token-file", str(file))
    assert READER not in str(error.value)
