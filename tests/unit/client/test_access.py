"""Where a token may go, and how it travels."""

import asyncio

import grpc
import pytest

from seq2serve import AsyncClient, Client, command
from seq2serve.access import Access

TOKEN = "a-token-of-our-own"
TLS = grpc.ssl_channel_credentials()


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1:1", "127.8.9.10:1", "localhost:1", "localhost", "[::1]:1", "::1", "ipv4:127.0.0.1:1,127.0.0.2:1"),
        *("ipv6:[::1]:1", "dns:localhost:1", "dns:///localhost:1", "unix:/run/socket", "unix-abstract:socket"),
    ],
)
def test_in_clear_a_token_stays_on_this_machine(address: str) -> None:
    """Every name of this machine is known, and proxies of the environment are passed by."""
    access = Access(token=TOKEN)
    assert access.metadata(address) == (("authorization", f"Bearer {TOKEN}"),)
    assert access.direct


@pytest.mark.parametrize(
    "address",
    [
        *("192.0.2.1:1", "example.test:1", "localhost.example.test:1", "127.0.0.1.example.test:1", "0.0.0.0:1"),
        *(
            "dns:///example.test:1",
            "dns://127.0.0.1/example.test:1",
            "ipv4:127.0.0.1:1,192.0.2.1:1",
            "xds:///localhost:1",
        ),
        *("[2001:db8::1]:1", "2001:db8::1", "", "https://localhost:1"),
    ],
)
def test_in_clear_it_goes_nowhere_else(address: str) -> None:
    """The error names the address and the ways out, not the token; TLS and consent are such ways."""
    with pytest.raises(ValueError, match=r"would travel in clear to .*--tls.*--token-in-clear") as refused:
        Access(token=TOKEN).metadata(address)
    assert TOKEN not in str(refused.value)
    for allowed in (Access(TLS, TOKEN), Access(token=TOKEN, token_in_clear=True)):
        assert allowed.metadata(address) == (("authorization", f"Bearer {TOKEN}"),)
        assert not allowed.direct


@pytest.mark.parametrize("token", ["", " ", "two words", "line\nline", "naïve"])
def test_what_is_no_token_is_refused(token: str) -> None:
    """Before anything is sent, and without quoting it."""
    with pytest.raises(ValueError, match="the token is empty or has other characters"):
        Access(token=token).metadata("localhost:1")


def test_a_token_is_not_shown() -> None:
    """Neither by the object nor by a client."""
    assert TOKEN not in repr(Access(token=TOKEN))
    with Client("localhost:1", token=TOKEN) as client:
        assert TOKEN not in repr(client)


def test_both_clients_refuse_to_send_it_in_clear() -> None:
    """When they are made, not at the first call."""
    with pytest.raises(ValueError, match="in clear"):
        Client("example.test:1", token=TOKEN)

    async def make() -> None:
        AsyncClient("example.test:1", token=TOKEN)

    with pytest.raises(ValueError, match="in clear"):
        asyncio.run(make())


def shown(contexts) -> list[str]:
    """Return the tokens of the last call."""
    return [value for key, value in contexts[-1].invocation_metadata() if key == "authorization"]


@pytest.fixture
def contexts(server):
    """Collect the contexts of the calls that a server answers."""
    seen = []

    def answer(request, context):
        seen.append(context)
        return server.reply(request, context)

    server.every = answer
    return seen


def test_the_command_reads_it_from_a_file_or_the_environment(run, server, contexts, monkeypatch, tmp_path) -> None:
    """The file wins; without either nothing is sent."""
    run("translate", "a")
    assert shown(contexts) == []
    monkeypatch.setenv("SEQ2SERVE_TOKEN", "of-the-environment")
    run("translate", "a")
    assert shown(contexts) == ["Bearer of-the-environment"]
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    run("translate", "a", "--token-file", str(file))
    assert shown(contexts) == [f"Bearer {TOKEN}"]


def test_the_load_shows_it_in_every_call(run, server, contexts, monkeypatch) -> None:
    """`seq2serve bench` measures servers that want a token, too."""
    monkeypatch.setenv("SEQ2SERVE_TOKEN", TOKEN)
    code, _, _ = run("bench", "--in-flight", "2", "--requests", "4", "--runs", "1", "--warm-up", "0")
    assert code == 0
    assert len(contexts) == 5
    assert all(dict(context.invocation_metadata())["authorization"] == f"Bearer {TOKEN}" for context in contexts)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--tls-certificate", "x"], "--tls-certificate and --tls-key need one another"),
        (["--tls-key", "x"], "--tls-certificate and --tls-key need one another"),
        (["--address", "example.test:1"], "the token would travel in clear to example.test:1"),
    ],
)
@pytest.mark.parametrize("words", [["translate", "a"], ["score", "a", "b"], ["models"], ["bench"]])
def test_wrong_flags_end_every_command_with_usage(monkeypatch, words, flags, message, capsys) -> None:
    """Exit code 2, and no token in the message."""
    monkeypatch.setenv("SEQ2SERVE_TOKEN", TOKEN)
    with pytest.raises(SystemExit) as stop:
        command.main([*words, *flags])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert TOKEN not in said


def test_a_missing_file_is_named(run, tmp_path) -> None:
    """Of the token as of the certificates."""
    for flag in ("--token-file", "--tls-ca"):
        code, _, said = run("models", flag, str(tmp_path / "none"))
        assert code == 2
        assert str(tmp_path / "none") in said


def test_a_proxy_of_the_environment_never_sees_it(server, contexts, monkeypatch) -> None:
    """A client that has a token for this machine does not ask a proxy for the way."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody is there
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("no_grpc_proxy", raising=False)
    with Client(server.address, token=TOKEN) as client:
        assert client.translate("a").text == "A"
    assert shown(contexts) == [f"Bearer {TOKEN}"]
