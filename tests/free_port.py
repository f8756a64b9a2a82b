"""Ports for programs that cannot choose one themselves."""

import socket
from contextlib import ExitStack


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    return free_ports(1)[0]


def free_ports(count: int) -> range:
    """Return so many ports of 127.0.0.1, one after the other, that were free a moment ago."""
    while True:
        with ExitStack() as stack:
            first = stack.enter_context(_listener(0)).getsockname()[1]
            try:
                for port in range(first + 1, first + count):
                    stack.enter_context(_listener(port))
            except (OSError, OverflowError):  # somebody has it, or it is above 65535
                continue
            return range(first, first + count)


def _listener(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.bind(("127.0.0.1", port))
    except BaseException:
        listener.close()
        raise
    return listener
