"""Who may call what: bearer tokens, kept as hashes in a file.

A line of the file is NAME SCOPES SHA256, SCOPES one or both of `translate` and `admin`, joined by a comma; what follows
a # is a comment. A name may have several lines, so that a new token can be given out before the old one is taken away.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from service.errors import PermissionDenied, StartupError, Unauthenticated
from service.reloaded import Reloaded

AUTHORIZATION = "authorization"  # the key of the call's metadata
SCOPES = ("translate", "admin")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DIGEST = re.compile(r"[0-9a-f]{64}")
OPEN = "/grpc.health.v1.Health/"  # balancers and orchestrators have no token, and learn no more than a yes
ADMIN = "/seq2serve.v1.AdminService/"


@dataclass(frozen=True)
class Grant:
    """Name who holds a token, and what it is for."""

    name: str
    scopes: frozenset[str]
    digest: bytes

    def check(self, method: str) -> None:
        """Let the holder call /package.Service/Method.

        Raises:
            PermissionDenied: the token is not for this method.
        """
        scope = "admin" if method.startswith(ADMIN) else "translate"
        if scope not in self.scopes:
            raise PermissionDenied(f"the token of {self.name!r} lacks the scope {scope!r}, which {method} needs")


def digest_of(token: str) -> bytes:
    """Return what the file keeps of a token: without salt, since a token has 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


def parse_scopes(text: str) -> frozenset[str]:
    """Read scopes joined by commas.

    Raises:
        ValueError: one is unknown.
    """
    scopes = frozenset(text.split(","))
    if not scopes <= set(SCOPES):
        raise ValueError(f"scopes are {' and '.join(SCOPES)}, joined by a comma")
    return scopes


def read_grants(path: Path) -> tuple[Grant, ...]:
    """Read a token file; no message quotes a line, as somebody may have put a token there.

    Raises:
        StartupError: the file cannot be read, holds no token, or a line is not of the form; names its number.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(
            f"token file {path} cannot be read ({getattr(error, 'strerror', 'it is not UTF-8')})"
        ) from error
    grants: dict[bytes, Grant] = {}
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            grant = _grant(words)
            if grant.digest in grants:
                raise ValueError("this token is already there")
        except ValueError as error:
            raise StartupError(f"token file {path}, line {number}: {error}") from error
        grants[grant.digest] = grant
    if not grants:
        raise StartupError(f"token file {path} holds no token: make one with `python -m service token NAME`")
    return tuple(grants.values())


def _grant(words: Sequence[str]) -> Grant:
    if len(words) != 3:
        raise ValueError(f"has {len(words)} words; NAME SCOPES SHA256 expected, as `python -m service token` prints it")
    name, scopes, digest = words
    if not NAME.fullmatch(name):
        raise ValueError("the name is not up to 64 letters, digits, dots, dashes and underscores")
    if not DIGEST.fullmatch(digest):
        raise ValueError("the last word is not a SHA-256 of 64 lower-case hexadecimal digits")
    return Grant(name, parse_scopes(scopes), bytes.fromhex(digest))


class Gate:
    """Admit callers by the tokens of a file that is read again when it changes."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            StartupError: the file is not one of tokens.
        """
        self._grants = Reloaded([path], lambda: read_grants(path))

    def refresh(self) -> None:
        """Read the file again if it has changed; a broken one leaves the old tokens in force."""
        self._grants.refresh()

    def caller(self, method: str, authorization: str | bytes | None) -> Grant | None:
        """Return who calls /package.Service/Method, by the token shown; None where none is needed.

        Raises:
            Unauthenticated: the token is missing or unknown.
        """
        if method.startswith(OPEN):
            return None
        scheme, _, token = str(authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("this server wants a token: send the metadata `authorization: Bearer TOKEN`")
        shown = digest_of(token.strip())
        found = None
        for grant in self._grants.value:  # all of them, always: the time tells nothing
            if hmac.compare_digest(grant.digest, shown):
                found = grant
        if found is None:
            raise Unauthenticated("the token is not known here: it was mistyped, or taken away")
        return found


def open_gate(path: Path | None) -> Gate | None:
    """Return the gate of a token file; none where everybody may call.

    Raises:
        StartupError: the file is not one of tokens.
    """
    return None if path is None else Gate(path)
