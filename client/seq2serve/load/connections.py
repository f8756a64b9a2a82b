"""The connections that a load goes over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TypeAlias

import grpc

from seq2serve.access import Access
from seq2serve.channel import OPTIONS, open_aio_channel
from seq2serve.errors import ServerUnreachable

TRANSLATE = "/seq2serve.v1.TranslationService/Translate"

Call: TypeAlias = "Callable[..., grpc.aio.UnaryUnaryCall[bytes, bytes]]"
"""Sends a serialized request; with `timeout`, in seconds."""

_OPTIONS = {
    **dict(OPTIONS),
    # Each failure counts, and a repeat would hide it.
    "grpc.enable_retries": 0,
    # Channels of one address would share one connection.
    "grpc.use_local_subchannel_pool": 1,
}

_OPEN = Access()


@asynccontextmanager
async def open_calls(
    address: str, method: str, connections: int = 1, access: Access = _OPEN
) -> AsyncIterator[list[Call]]:
    """Connect, and yield for each connection what calls `method`, such as `/package.Service/Method`.

    Raises:
        ServerUnreachable: Nobody answers at the address.
    """
    metadata = access.metadata(address)
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(open_aio_channel(address, access, options=tuple(_OPTIONS.items())))
            for _ in range(connections)
        ]
        for channel in channels:
            await _connect(channel, address)
        # Without serializers gRPC passes bytes on as they are.
        yield [partial(channel.unary_unary(method), metadata=metadata) for channel in channels]


async def _connect(channel: grpc.aio.Channel, address: str) -> None:
    while (state := channel.get_state(try_to_connect=True)) is not grpc.ChannelConnectivity.READY:
        if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            raise ServerUnreachable(f"no server answers at {address}")
        await channel.wait_for_state_change(state)
