"""TLS and mTLS with real connections, and certificates that are renewed while the server runs."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from seq2serve import Client, ServerUnreachable
from tests.certificates import Authority
from tests.eventually import eventually
from tests.server_process import ROOT, ServerProcess


class Files:
    """Hold the files that a server is started with, and replace them."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key, self.client_ca = (folder / name for name in ("tls.crt", "tls.key", "clients.crt"))
        self.flags = ("--tls-certificate", str(self.certificate), "--tls-key", str(self.key))
        self.mutual = (*self.flags, "--tls-client-ca", str(self.client_ca))

    def put(self, authority: Authority) -> None:
        """Write a new certificate of an authority, as a renewal does: each file whole, one after the other."""
        for source, target in zip(authority.issue(), (self.certificate, self.key), strict=True):
            shutil.copy(source, target.with_suffix(".new"))
            target.with_suffix(".new").replace(target)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def files(tmp_path: Path, authority: Authority) -> Files:
    files = Files(tmp_path)
    files.put(authority)
    return files


@pytest.fixture
def server(files: Files) -> Iterator[ServerProcess]:
    with ServerProcess(*files.flags) as process:
        yield process


def trusting(authority: Authority, shown: Authority | None = None) -> grpc.ChannelCredentials:
    """Return the credentials of a client that trusts one authority, and shows a certificate of another."""
    ca = authority.certificate.read_bytes()
    if shown is None:
        return grpc.ssl_channel_credentials(ca)
    certificate, key = shown.issue()
    return grpc.ssl_channel_credentials(ca, key.read_bytes(), certificate.read_bytes())


def is_served(server: ServerProcess, credentials: grpc.ChannelCredentials | None) -> bool:
    """Tell whether a new connection gets a translation."""
    with Client(server.address, credentials=credentials) as client:
        try:
            return bool(client.translate("Good morning.").text)
        except ServerUnreachable:
            return False


def test_tls_serves_who_trusts_it_and_nobody_in_clear(
    server: ServerProcess, authority: Authority, tmp_path: Path
) -> None:
    """A client in clear, or one that trusts another authority, gets nothing."""
    assert is_served(server, trusting(authority))
    assert not is_served(server, trusting(Authority(tmp_path, "stranger")))
    assert not is_served(server, None)


def test_mtls_serves_certificates_of_its_authority_alone(files: Files, authority: Authority, tmp_path: Path) -> None:
    """No certificate and a stranger's are refused; a new authority is taken up while the server runs."""
    clients, strangers = Authority(tmp_path, "clients"), Authority(tmp_path, "strangers")
    shutil.copy(clients.certificate, files.client_ca)
    with ServerProcess(*files.mutual) as server:
        assert is_served(server, trusting(authority, shown=clients))
        assert not is_served(server, trusting(authority, shown=strangers))
        assert not is_served(server, trusting(authority))
        assert not is_served(server, None)
        shutil.copy(strangers.certificate, files.client_ca)
        assert eventually(lambda: "read again" in server.log())
        assert is_served(server, trusting(authority, shown=strangers))
        assert not is_served(server, trusting(authority, shown=clients))


def test_a_renewed_certificate_is_served_to_new_connections(
    server: ServerProcess, files: Files, authority: Authority, tmp_path: Path
) -> None:
    """A connection from before, whose authority is no longer the server's, goes on."""
    successor = Authority(tmp_path, "successor")
    with Client(server.address, credentials=trusting(authority)) as before:
        assert before.translate("Good morning.").text
        files.put(successor)
        assert eventually(lambda: "read again" in server.log())
        assert is_served(server, trusting(successor))
        assert not is_served(server, trusting(authority))
        assert before.translate("Good evening.").text


def test_broken_renewals_keep_the_old_certificate(
    server: ServerProcess, files: Files, authority: Authority, tmp_path: Path
) -> None:
    """Each is an error in the log, and the next good renewal is taken up."""

    def said_again(words: str, change: Callable[..., object], *arguments: Authority) -> bool:
        before = server.log().count(words)
        change(*arguments)
        return eventually(lambda: server.log().count(words) > before)

    faults = (
        lambda: files.certificate.write_bytes(files.certificate.read_bytes()[:100]),
        lambda: shutil.copy(authority.issue()[1], files.key),
        files.key.unlink,
    )
    for number, fault in enumerate(faults):
        assert said_again("what was read before stays in force: TLS ", fault), number
        assert is_served(server, trusting(authority)), number
        authority = Authority(tmp_path, f"successor-{number}")
        assert said_again("read again", files.put, authority), number
        assert is_served(server, trusting(authority)), number


def test_the_command_speaks_mtls_and_shows_a_token(files: Files, authority: Authority, tmp_path: Path) -> None:
    """By its flags; without the token it is told what is missing."""
    shutil.copy(authority.certificate, files.client_ca)
    made = [sys.executable, "-m", "service", "token", "somebody"]
    run = subprocess.run(made, cwd=ROOT, capture_output=True, text=True, check=True)
    tokens, token = tmp_path / "tokens", tmp_path / "token"
    tokens.write_text(run.stdout)
    token.write_text(run.stderr.split()[-1] + "\n")
    certificate, key = map(str, authority.issue())
    with ServerProcess(*files.mutual, "--token-file", str(tokens)) as server:
        flags = ["--address", server.address, "--tls-ca", str(authority.certificate)]
        flags += ["--tls-certificate", certificate, "--tls-key", key]
        for words in (["translate", "Hi."], ["bench", "--requests", "2", "--runs", "1", "--warm-up", "0"]):
            command = [sys.executable, "-m", "seq2serve", *words, *flags]
            shown = subprocess.run([*command, "--token-file", str(token)], capture_output=True, text=True, check=False)
            assert shown.returncode == 0, shown.stderr
            assert shown.stdout.strip()
            bare = subprocess.run(command, capture_output=True, text=True, check=False)
            assert bare.returncode == 1
            assert "(unauthenticated" in bare.stderr


def test_broken_files_stop_the_start(files: Files, authority: Authority) -> None:
    """The process says which file and what is wrong with it."""
    shutil.copy(authority.issue()[1], files.key)
    with pytest.raises(RuntimeError, match=f"error: TLS key {files.key} for .*: the key is not this certificate's"):
        ServerProcess(*files.flags)
