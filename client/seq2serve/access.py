"""TLS and bearer tokens: how a server is reached, and where a token may be sent."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TypeAlias

import grpc

Metadata: TypeAlias = tuple[tuple[str, str], ...]

_TARGET = re.compile(r"(?:(?P<scheme>dns|ipv4|ipv6|unix|unix-abstract):(?://[^/]*/)?)?(?P<rest>.*)")


@dataclass(frozen=True)
class Access:
    """How a client reaches a server, and what it shows there."""

    credentials: grpc.ChannelCredentials | None = None
    token: str | None = field(default=None, repr=False)
    token_in_clear: bool = False

    @property
    def direct(self) -> bool:
        """Whether to pass proxies by: one that the environment names would see a token sent to this very machine."""
        return self.token is not None and self.credentials is None and not self.token_in_clear

    def metadata(self, address: str) -> Metadata:
        """Return what every call to a gRPC target carries: the token, if there is one.

        Raises:
            ValueError: The token is not one, or would travel in clear to another machine.
        """
        token = self.token
        if token is None:
            return ()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("the token is empty or has other characters than printable ASCII: give it as it was made")
        if self.direct and not _is_local(address):
            raise ValueError(
                f"the token would travel in clear to {address}: use TLS (credentials=, or --tls), or, where something "
                "else encrypts the way, token_in_clear=True (--token-in-clear)"
            )
        return (("authorization", f"Bearer {token}"),)


def _is_local(address: str) -> bool:
    """Tell whether a gRPC target stays on this machine, for every address that it names."""
    found = _TARGET.fullmatch(address)
    if found is None:
        return False
    if found["scheme"] in ("unix", "unix-abstract"):
        return True
    return all(map(_is_loopback, found["rest"].split(",")))


def _is_loopback(address: str) -> bool:
    bare = address.count(":") > 1 and not address.startswith("[")  # IPv6 without a port
    host = address if bare else (address.rpartition(":")[0] or address).strip("[]")
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
