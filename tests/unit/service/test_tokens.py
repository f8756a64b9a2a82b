"""A token file admits those it names, for what it names, and nobody else."""

import subprocess
import sys
from pathlib import Path

import pytest

from service.errors import PermissionDenied, StartupError, Unauthenticated
from service.tokens import Gate, digest_of, read_grants
from tests.server_process import ROOT

TRANSLATE = "/seq2serve.v1.TranslationService/Translate"
ADMIN = "/seq2serve.v1.AdminService/LoadModel"
HASH = digest_of("the-token").hex()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Open a gate for a reader, an operator and one who is both."""
    names = {"reader": "translate", "operator": "admin", "both": "translate,admin"}
    file = tmp_path / "tokens"
    lines = [f"{name} {scopes} {digest_of(f'token-of-{name}').hex()}" for name, scopes in names.items()]
    file.write_text("# who may call\n\n" + "  # ours\n".join(lines) + "\n")
    return Gate(file)


def admitted(gate: Gate, method: str, shown: str | None) -> str:
    """Return the name of who is let in."""
    caller = gate.caller(method, shown)
    assert caller is not None
    caller.check(method)
    return caller.name


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (TRANSLATE, "reader"),
        (TRANSLATE, "both"),
        (ADMIN, "operator"),
        (ADMIN, "both"),
        ("/seq2serve.v1.ModelService/ListModels", "reader"),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "reader"),
    ],
)
def test_a_token_with_the_scope_admits(gate: Gate, method: str, name: str) -> None:
    """The gate tells whose token it was; the scheme's case does not matter."""
    assert admitted(gate, method, f"Bearer token-of-{name}") == name
    assert admitted(gate, method, f"bearer token-of-{name}") == name


@pytest.mark.parametrize(("method", "name"), [(TRANSLATE, "operator"), (ADMIN, "reader")])
def test_a_token_without_the_scope_does_not(gate: Gate, method: str, name: str) -> None:
    """The message names whose token it is, and what it lacks."""
    with pytest.raises(PermissionDenied, match=f"token of '{name}' lacks the scope .* which {method} needs"):
        admitted(gate, method, f"Bearer token-of-{name}")


@pytest.mark.parametrize(
    "shown",
    [
        *(None, "", "Bearer", "Bearer ", "token-of-reader", "Basic token-of-reader", "Bearer token-of-nobody"),
        *("Bearer token-of-reade", "Bearer token-of-reader1", f"Bearer {digest_of('token-of-reader').hex()}"),
    ],
)
def test_anything_else_is_refused(gate: Gate, shown: str | None) -> None:
    """Neither no token, another scheme, a part of a token nor its hash admits, and none is quoted."""
    with pytest.raises(Unauthenticated) as refused:
        admitted(gate, TRANSLATE, shown)
    assert "token-of" not in refused.value.message


def test_health_needs_no_token(gate: Gate) -> None:
    """Balancers have none; a name that only begins alike is another service."""
    assert gate.caller("/grpc.health.v1.Health/Check", None) is None
    with pytest.raises(Unauthenticated):
        admitted(gate, "/grpc.health.v1.HealthOther/Check", None)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "holds no token"),
        ("# nobody\n", "holds no token"),
        (f"web translate {HASH}\nweb {HASH}\n", "line 2: has 2 words; NAME SCOPES SHA256 expected"),
        ("web translate the-token\n", "line 1: the last word is not a SHA-256"),
        (f"web translate {HASH[:-1]}\n", "line 1: the last word is not a SHA-256"),
        (f"web write {HASH}\n", "line 1: scopes are translate and admin"),
        (f"web translate, {HASH}\n", "line 1: scopes are translate and admin"),
        (f"w/b translate {HASH}\n", "line 1: the name is not"),
        (f"web translate {HASH}\nops admin {HASH}\n", "line 2: this token is already there"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    """The message has the line's number and never its words, which may be a token put there by mistake."""
    file = tmp_path / "tokens"
    file.write_text(text)
    with pytest.raises(StartupError, match=fault) as refused:
        read_grants(file)
    assert str(file) in str(refused.value)
    assert "the-token" not in str(refused.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    """Missing, or not text."""
    file = tmp_path / "tokens"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(StartupError, match=f"token file {file} cannot be read"):
        read_grants(file)


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command that makes a token."""
    command = [sys.executable, "-m", "service", "token", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_command_makes_a_line_that_admits(tmp_path: Path) -> None:
    """The line is the whole standard output and holds no token; the token stands on standard error."""
    run = make("web.1", "--scopes", "admin,translate")
    token = run.stderr.split()[-1]
    file = tmp_path / "tokens"
    file.write_text(run.stdout)
    assert admitted(Gate(file), ADMIN, f"Bearer {token}") == "web.1"
    assert run.stdout.split()[:2] == ["web.1", "translate,admin"]
    assert token not in run.stdout
    assert make("web.1").stderr.split()[-1] != token


@pytest.mark.parametrize("arguments", [("w b",), ("web", "--scopes", "write"), ()])
def test_the_command_refuses_what_the_file_would_not_take(arguments: tuple[str, ...]) -> None:
    """Nothing is printed that cannot be used."""
    run = make(*arguments)
    assert (run.returncode, run.stdout) == (2, "")
