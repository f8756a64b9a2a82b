"""The plain-HTTP door opens on every kind of address."""

import socket
import urllib.request

import pytest

from service.errors import StartupError
from service.web import Web


def has_ipv6() -> bool:
    """Tell whether this machine has an IPv6 loopback."""
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_it_answers_on_ipv4_and_ipv6(host: str) -> None:
    """The address that it tells is the one that answers."""
    if host == "[::1]" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    web = Web(f"{host}:0", None, lambda: True, lambda: ["en-de/1: fp32"])
    try:
        assert web.address.startswith(f"{host}:")
        with urllib.request.urlopen(f"http://{web.address}/readyz", timeout=10) as reply:
            assert reply.read() == b"ready\nen-de/1: fp32\n"
    finally:
        web.close()


def test_an_address_that_is_taken_is_refused_by_its_flag() -> None:
    """With the address and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(StartupError, match=f"--http-address {address}: .*; choose a free one"):
            Web(address, None, lambda: True, lambda: [])
