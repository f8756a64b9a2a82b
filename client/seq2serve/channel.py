"""The connection to one or more servers: balancing and retries by gRPC's own service config."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeAlias

import grpc

from seq2serve.access import Access
from seq2serve.version import version

_SERVICE_CONFIG = {
    # A name that resolves to many servers gets calls spread over all of them. Health is not watched
    # from here: behind a balancer the watch would follow one server and condemn all when it stops.
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                # The calls are stateless, so a repeat is safe. A server that names a time to wait
                # in `grpc-retry-pushback-ms`, or forbids the repeat there, is obeyed.
                # CANCELLED from a server, and not from the caller, is how gRPC ends calls that had
                # arrived and were not begun when the server stopped (grpc/grpc#41785).
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED"],
            },
        }
    ],
    # Retries stop when failures outweigh successes. The allowance is large because one killed
    # server fails every call that it had in flight at once, and all must be retried elsewhere.
    "retryThrottling": {"maxTokens": 1000, "tokenRatio": 0.1},
}

OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.enable_retries", 1),
    # The reply to a batch may be larger than gRPC's 4 MiB; whoever asked for it wants it.
    ("grpc.max_receive_message_length", -1),
    ("grpc.primary_user_agent", f"seq2serve-python/{version()}"),
)


Options: TypeAlias = Sequence[tuple[str, str | int]]
LONGEST = 1e9  # seconds, 31 years: a later deadline than it can hold is one that has passed to gRPC


def time_limit(seconds: float) -> float:
    """Return a time limit that gRPC can tell from one that is over, for any that may be infinite."""
    return min(seconds, LONGEST)


def open_channel(address: str, access: Access) -> grpc.Channel:
    """Open a channel for blocking calls."""
    if access.credentials is None:
        return grpc.insecure_channel(address, options=_options(OPTIONS, access))
    return grpc.secure_channel(address, access.credentials, options=OPTIONS)


def open_aio_channel(address: str, access: Access, options: Options = OPTIONS) -> grpc.aio.Channel:
    """Open a channel for asyncio."""
    if access.credentials is None:
        return grpc.aio.insecure_channel(address, options=_options(options, access))
    return grpc.aio.secure_channel(address, access.credentials, options=options)


def _options(options: Options, access: Access) -> Options:
    return (*options, ("grpc.enable_http_proxy", 0)) if access.direct else options
