"""Print the bytes of a gRPC health check, in hex, as haproxy.cfg sends them.

python deploy/haproxy/health_probe.py [SERVICE]

HAProxy has no check that speaks gRPC, but one that sends bytes and waits for others. They are a whole HTTP/2 exchange:
the client's preface, its settings, and a call of grpc.health.v1.Health/Check. Header fields are literals without
Huffman code or table (RFC 7541, 6.2.2), so they are the same for every connection.
"""

import sys

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113, 3.4
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4
POST, HTTP = b"\x83", b"\x86"  # :method and :scheme, by their numbers in the static table
CALL = {
    ":path": "/grpc.health.v1.Health/Check",
    ":authority": "haproxy",
    "content-type": "application/grpc",
    "te": "trailers",
}


def probe(service: str = "") -> bytes:
    """Return what asks for the health of a service; the empty one stands for the whole server.

    Raises:
        ValueError: the name is too long for a length of one byte.
    """
    return (
        PREFACE
        + _frame(SETTINGS, 0, 0, b"")
        + _frame(HEADERS, END_HEADERS, 1, POST + HTTP + b"".join(_literal(*field) for field in CALL.items()))
        + _frame(DATA, END_STREAM, 1, _message(service.encode()))
    )


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _literal(name: str, value: str) -> bytes:
    return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def _message(service: bytes) -> bytes:
    """Frame a HealthCheckRequest: not compressed, its length in four bytes, its only field if it is not empty."""
    if len(service) > 127:
        raise ValueError(f"{len(service)} bytes are too many for the name of a service here: at most 127")
    request = b"\x0a" + bytes([len(service)]) + service if service else b""
    return b"\x00" + len(request).to_bytes(4, "big") + request


if __name__ == "__main__":
    print(probe(*sys.argv[1:2]).hex())
