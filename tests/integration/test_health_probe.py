"""The bytes that HAProxy sends as a health check are a call that a server of gRPC answers."""

import asyncio
import re
import subprocess
import sys

import grpc
import pytest

from service.health import Health
from service.settings import Settings
from service.transport import server_options
from tests.server_process import ROOT

HAPROXY = ROOT / "deploy" / "haproxy"
CONFIG = (HAPROXY / "haproxy.cfg").read_text(encoding="utf-8")
NAMED = "seq2serve.v1.TranslationService"


def probe(*arguments: str) -> bytes:
    """Run the script that makes the bytes."""
    command = [sys.executable, str(HAPROXY / "health_probe.py"), *arguments]
    return bytes.fromhex(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def expected() -> tuple[int, bytes]:
    """Return how many bytes HAProxy waits for, and which must be among them."""
    found = re.search(r"tcp-check expect min-recv (\d+) binary (\w+)", CONFIG)
    assert found
    return int(found[1]), bytes.fromhex(found[2])


async def answers(sent: bytes, serving: bool, patience: float = 10, most: int = 4096) -> bytes:
    """Send bytes to a server of health alone; returns what comes back until it has been silent for a moment.

    `patience` is the seconds that it may be silent before all is there that HAProxy waits for.
    """
    health = Health((NAMED,))
    server = grpc.aio.server(options=server_options(Settings()))
    health.register(server)
    await health.set(serving)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    received = b""
    try:
        while len(received) < most:
            received += await asyncio.wait_for(reader.read(most), patience if len(received) < expected()[0] else 0.2)
    except TimeoutError:
        pass
    writer.close()
    await server.stop(0)
    return received


def test_haproxy_sends_what_the_script_prints() -> None:
    """Whoever changes the one makes the other anew."""
    assert re.findall(r"tcp-check send-binary (\w+)", CONFIG) == [probe().hex()]


@pytest.mark.parametrize("service", ["", NAMED])
@pytest.mark.parametrize("serving", [True, False])
def test_what_haproxy_waits_for_says_serving(service: str, serving: bool) -> None:
    """A server that serves sends it within the bytes that HAProxy waits for, and one that does not sends as many."""
    least, wanted = expected()
    received = asyncio.run(answers(probe(service), serving))
    assert len(received) >= least
    assert (wanted in received[:least]) is serving
    assert (wanted in received) is serving


def test_a_service_that_there_is_not_does_not_serve() -> None:
    """The name in the bytes is read: a refusal comes, which is shorter."""
    received = asyncio.run(answers(probe("seq2serve.v1.Nothing"), True, patience=3))
    assert received
    assert expected()[1] not in received
