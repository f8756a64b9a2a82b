"""The load generator: serialized requests out, a record of each in."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import grpc

from seq2serve.load.clock import Clock
from seq2serve.load.connections import Call
from seq2serve.load.loops import Extent, Loop
from seq2serve.load.samples import Samples

OnReply = Callable[[int, int, bytes], None]
"""Is given the number of the request, from 0, the index of its payload, and the reply."""


@dataclass(frozen=True)
class Run:
    """What a load brought, and what it cost the process that made it.

    Attributes:
        samples: A record of each request.
        cpu_seconds: CPU time of this process, user and system, all threads.
        wall_seconds: From the beginning to the last answer or failure.
    """

    samples: Samples
    cpu_seconds: float
    wall_seconds: float


async def generate(
    calls: Sequence[Call],
    payloads: Sequence[bytes],
    loop: Loop,
    extent: Extent,
    *,
    seed: int = 0,
    timeout: float = 30.0,
    on_reply: OnReply | None = None,
    clock: Clock | None = None,
) -> Run:
    """Send the payloads in shuffled order, again and again, and wait for all answers.

    Args:
        calls: One per connection, which take turns.
        payloads: Serialized requests.
        loop: When each is sent.
        extent: When to stop.
        seed: The same seed makes the same order and the same arrivals.
        timeout: Seconds from the intended start on, after which a request has failed.
        on_reply: Called after each reply; what it takes, the load generator is late by.
        clock: For tests.
    """
    draws = Random(seed)
    order = draws.sample(range(len(payloads)), len(payloads))
    requests = enumerate(zip(itertools.cycle(order), itertools.cycle(calls), strict=False))
    samples = Samples()
    clock = clock or Clock()
    now = clock.now

    async def send(intended: float) -> None:
        number, (payload, call) = next(requests)
        start = now()
        try:
            reply = await call(payloads[payload], timeout=intended + timeout - start)
        except grpc.aio.AioRpcError as failure:
            code = failure.code().value[0]
            samples.add(payload, intended, start, now(), code, 0)
            samples.messages.setdefault(code, failure.details() or "")
        else:
            samples.add(payload, intended, start, now(), 0, len(reply))
            if on_reply is not None:
                on_reply(number, payload, reply)

    cpu = time.process_time()
    await loop.drive(send, extent, clock, draws)
    return Run(samples, cpu_seconds=time.process_time() - cpu, wall_seconds=now())
