"""The limits of connections, seen in raw HTTP/2 frames: the server states and keeps each of them."""

import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

import grpc
import pytest

from seq2serve import Client, ResourceExhausted
from tests.eventually import eventually
from tests.server_process import ServerProcess

SETTINGS, PING, GOAWAY = 4, 6, 7
MAX_CONCURRENT_STREAMS = 3  # a key of SETTINGS
NO_ERROR, ENHANCE_YOUR_CALM = 0, 11  # error codes of GOAWAY
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PATIENCE = 30.0


class Frame(NamedTuple):
    kind: int
    payload: bytes


class Peer:
    """Speak as much HTTP/2 as it takes to see what a server does with a connection."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=PATIENCE)
        self._write(PREFACE)
        self.send(SETTINGS, b"")

    def send(self, kind: int, payload: bytes) -> None:
        self._write(len(payload).to_bytes(3, "big") + bytes([kind]) + bytes(5) + payload)

    def _write(self, data: bytes) -> None:
        # Whether the server has closed is seen by reading: a write may come before or after that.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)

    def frames(self) -> Iterator[Frame]:
        """Yield what the server sends until it closes."""
        while head := self._read(9):
            yield Frame(head[3], self._read(int.from_bytes(head[:3], "big")))

    def first(self, kind: int) -> bytes | None:
        """Return the next frame of a kind; None when the connection is closed before."""
        return next((frame.payload for frame in self.frames() if frame.kind == kind), None)

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            try:
                part = self._socket.recv(count - len(data))
            except ConnectionResetError:
                return b""
            if not part:
                return b""
            data += part
        return data

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def error_code(goaway: bytes) -> int:
    """Return with which error the server says farewell."""
    return int.from_bytes(goaway[4:8], "big")


def test_one_connection_too_many_is_closed_at_once() -> None:
    """And one that ends makes room."""
    with (
        ServerProcess("--max-connections", "2") as server,
        Peer(server.address) as first,
        Peer(server.address) as second,
    ):
        assert first.first(SETTINGS) is not None
        assert second.first(SETTINGS) is not None
        with Peer(server.address) as third:
            assert third.first(SETTINGS) is None
        second.close()

        def served() -> bool:
            with Peer(server.address) as another:
                return another.first(SETTINGS) is not None

        assert eventually(served)


def test_calls_of_a_connection_and_their_messages_are_bounded() -> None:
    """The server tells the client in its first frame how many calls it takes; gRPC refuses a message by its size."""
    with ServerProcess("--max-concurrent-streams", "7", "--max-message-bytes", "2000") as server:
        with Peer(server.address) as peer:
            payload = peer.first(SETTINGS)
        assert payload is not None
        assert dict(struct.iter_unpack(">HI", payload))[MAX_CONCURRENT_STREAMS] == 7
        with Client(server.address) as client:
            assert client.translate("Good morning.").text
            with pytest.raises(ResourceExhausted) as error:
                client.translate("a " * 2000)
        assert error.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "2000" in str(error.value)


def test_clients_that_ping_too_often_are_disconnected() -> None:
    """The server says why."""
    with ServerProcess("--min-client-ping-interval", "3600") as server, Peer(server.address) as peer:
        for _ in range(5):
            peer.send(PING, bytes(8))
        farewell = peer.first(GOAWAY)
        assert farewell is not None
        assert error_code(farewell) == ENHANCE_YOUR_CALM


def test_clients_may_ping_as_often_as_is_set() -> None:
    """Even without a call, and one ping right after the answer to another."""
    with ServerProcess("--min-client-ping-interval", "0") as server, Peer(server.address) as peer:
        for number in range(10):
            ping = Frame(PING, number.to_bytes(8, "big"))
            peer.send(*ping)
            assert next(frame for frame in peer.frames() if frame.kind in (PING, GOAWAY)) == ping


def test_the_server_pings_a_silent_client_and_gives_up_on_a_dead_one() -> None:
    """A client that answers no ping loses its connection, so that it holds no place for ever."""
    with ServerProcess("--keepalive-time", "0.2", "--keepalive-timeout", "0.2") as server, Peer(server.address) as peer:
        assert peer.first(PING) is not None
        assert [frame.kind for frame in peer.frames()][-1:] == [GOAWAY]


def test_an_aged_connection_is_asked_to_go() -> None:
    """The farewell is no error: clients connect anew, and find new replicas."""
    with ServerProcess("--max-connection-age", "0.2") as server, Peer(server.address) as peer:
        farewell = peer.first(GOAWAY)
        assert farewell is not None
        assert error_code(farewell) == NO_ERROR
        with Client(server.address) as client:
            assert client.translate("Good morning.").text
