"""Bytes to a server and back, many calls in flight, as a client without our stubs would send them."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import grpc

from tests.fuzz.requests import Request
from tests.fuzz.verdict import Outcome, Verdict

HANG = 120.0  # seconds, far above what any request takes: a deadline that passes is a hang


def send_all(address: str, blocks: Iterable[list[Request]], in_flight: int, verdict: Verdict) -> None:
    """Send requests, `in_flight` at a time, and judge what comes back; the next block is drawn meanwhile."""
    # Threads, as grpc.aio's client replaces the status of a bulk that ends early by one of its own (grpc/grpc#36066).
    with grpc.insecure_channel(address) as channel, ThreadPoolExecutor(in_flight) as pool:
        outcomes: Iterable[tuple[Request, Outcome]] = ()
        for block in chain(blocks, [[]]):
            for request, outcome in outcomes:
                verdict.judge(request, outcome)
            outcomes = zip(block, pool.map(lambda request: send(channel, request), block), strict=True)


def send(channel: Any, request: Request) -> Outcome:
    """Make one call, and read all that it answers."""
    method = request.method
    replies: list[bytes] = []
    try:
        if not method.server_streaming:
            reply, call = channel.unary_unary(request.path).with_call(request.messages[0], timeout=HANG)
            return Outcome([reply], call.code())
        if method.client_streaming:
            call = channel.stream_stream(request.path)(iter(request.messages), timeout=HANG)
        else:
            call = channel.unary_stream(request.path)(request.messages[0], timeout=HANG)
        replies.extend(call)
        return Outcome(replies, call.code())
    except grpc.RpcError as error:
        failed: Any = error  # is the call as well
        return Outcome(replies, failed.code(), failed.details(), failed.trailing_metadata() or ())
