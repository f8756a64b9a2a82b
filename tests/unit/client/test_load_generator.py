"""The load generator keeps its pace whatever the server does, and records what became of each request."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Sequence
from random import Random

import grpc
import pytest

from seq2serve.errors import ServerUnreachable
from seq2serve.load import (
    TRANSLATE,
    Clock,
    ClosedLoop,
    Extent,
    Loop,
    OpenLoop,
    Run,
    Samples,
    event_loop,
    generate,
    open_calls,
    summarize,
)
from seq2serve.v1 import translation_pb2

PATIENCE = 30.0  # no test waits that long


class Steps(Clock):
    """Shows the time that a test sets, and sleeps past every arrival by `late` seconds."""

    def __init__(self, late: float = 0.0) -> None:
        self.time = 0.0
        self.late = late

    def now(self) -> float:
        return self.time

    async def sleep_until(self, at: float) -> None:
        self.time = max(self.time, at) + self.late
        await asyncio.sleep(0)


def requests(*texts: str) -> list[bytes]:
    return [translation_pb2.TranslateRequest(text=text).SerializeToString() for text in texts]


def load(server, payloads: Sequence[bytes], loop: Loop, extent: Extent, connections: int = 1, **options) -> Run:
    """Load a real server."""

    async def body() -> Run:
        async with open_calls(server.address, TRANSLATE, connections) as calls:
            return await generate(calls, payloads, loop, extent, **options)

    with asyncio.Runner(loop_factory=event_loop) as runner:
        return runner.run(body())


async def echo(payload: bytes, timeout: float) -> bytes:
    return payload


def sent(seed: int, loop: Loop) -> tuple[list[int], list[float]]:
    """Return the payloads and intended starts of 30 requests."""
    payloads = [bytes([number]) for number in range(10)]
    extent = Extent(requests=30)
    samples = asyncio.run(generate([echo], payloads, loop, extent, seed=seed, clock=Steps())).samples
    return list(samples.payload), list(samples.intended)


def test_a_closed_loop_keeps_its_number_in_flight() -> None:
    """As many requests as asked for are in flight, and never one more."""
    in_flight = most = 0

    async def call(payload: bytes, timeout: float) -> bytes:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        await asyncio.sleep(0)
        in_flight -= 1
        return payload

    run = asyncio.run(generate([call], [b"a"], ClosedLoop(3), Extent(requests=20)))

    assert (most, len(run.samples)) == (3, 20)


def test_an_open_loop_waits_for_no_answer(server) -> None:
    """All requests arrive at a server that answers none before it has them all."""
    everybody = threading.Barrier(20)

    def hold(request, context):
        everybody.wait(PATIENCE)
        return server.reply(request, context)

    server.every = hold
    run = load(server, requests("a"), OpenLoop(rate=500), Extent(requests=20), timeout=PATIENCE)

    assert summarize(run).failures == {}


def test_latency_counts_from_the_intended_start() -> None:
    """What the generator itself is late by belongs to the latency, and to the time that a request has."""
    limits = []

    async def call(payload: bytes, timeout: float) -> bytes:
        limits.append(timeout)
        clock.time += 0.25
        return payload

    clock = Steps(late=2.0)
    run = asyncio.run(generate([call], [b"a"], OpenLoop(10), Extent(requests=1), timeout=30, clock=clock))

    summary = summarize(run)
    assert (summary.max, summary.lateness) == (pytest.approx(2.25), pytest.approx(2.0))
    assert limits == [pytest.approx(28.0)]


def test_a_request_without_an_answer_fails_with_its_time(server) -> None:
    """A request that nobody answers counts as failed and is among the latencies."""
    server.every = server.hang
    summary = summarize(load(server, requests("a"), OpenLoop(rate=100), Extent(requests=2), timeout=0.2))

    assert summary.failures == {"DEADLINE_EXCEEDED": 2}
    assert summary.max is not None


def test_a_request_whose_time_is_over_before_it_is_sent_fails(server) -> None:
    """A generator that is later than the timeout reports failures and not late successes."""
    run = load(server, requests("a"), OpenLoop(100), Extent(requests=3), timeout=1, clock=Steps(late=5.0))

    assert summarize(run).failures == {"DEADLINE_EXCEEDED": 3}


def test_failures_by_code(server) -> None:
    """Each failure is counted under its code, with the first message, and none is repeated."""
    server.behaviours["full"] = server.failing(grpc.StatusCode.UNAVAILABLE, "draining", "about to stop")
    server.behaviours["bad"] = server.failing(grpc.StatusCode.INVALID_ARGUMENT, "invalid_option", "no such beam")

    summary = summarize(load(server, requests("full", "bad", "good"), ClosedLoop(2), Extent(requests=9)))

    assert summary.failures == {"UNAVAILABLE": 3, "INVALID_ARGUMENT": 3}
    assert summary.messages == {"UNAVAILABLE": "about to stop", "INVALID_ARGUMENT": "no such beam"}
    assert (summary.requests, summary.failed) == (9, 6)
    assert Counter(request.text for request in server.requests) == {"full": 3, "bad": 3, "good": 3}


@pytest.mark.parametrize("loop", [OpenLoop(rate=100), ClosedLoop(2)], ids=str)
def test_the_same_seed_makes_the_same_load(loop: Loop) -> None:
    """Order and arrivals are those of the seed."""
    assert sent(1, loop) == sent(1, loop)
    assert sent(1, loop)[0] != sent(2, loop)[0]


def test_other_seeds_make_other_arrivals() -> None:
    """Arrivals are drawn anew for each seed."""
    assert sent(1, OpenLoop(100))[1] != sent(2, OpenLoop(100))[1]


def test_each_payload_is_sent_once_before_any_is_sent_again() -> None:
    """The payloads are shuffled once and cycled through."""
    order, _ = sent(1, ClosedLoop(2))

    assert sorted(order[:10]) == list(range(10)) != order[:10]
    assert order == order[:10] * 3


def test_arrivals_come_at_the_rate() -> None:
    """The gaps of a Poisson process of 50 a second are 20 ms in the mean, and as far apart as their mean."""
    arrivals = list(OpenLoop(rate=50).arrivals(Extent(requests=10_000), Random(1)))
    gaps = [later - earlier for earlier, later in zip([0.0, *arrivals], arrivals, strict=False)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5

    assert (mean, deviation) == (pytest.approx(0.02, rel=0.05), pytest.approx(0.02, rel=0.05))


@pytest.mark.parametrize("loop", [OpenLoop(rate=100), ClosedLoop(2)], ids=str)
def test_no_request_starts_after_the_last_second(loop: Loop) -> None:
    """A load of some seconds lets nothing start later, and waits for what has started."""

    async def call(payload: bytes, timeout: float) -> bytes:
        clock.time += 0.3
        await asyncio.sleep(0)
        return payload

    clock = Steps()
    run = asyncio.run(generate([call], [b"a"], loop, Extent(seconds=2), clock=clock))

    assert 0 < max(run.samples.intended) < 2 <= max(run.samples.end)


def test_a_load_without_end_is_refused() -> None:
    """Neither requests nor seconds is a mistake."""
    with pytest.raises(ValueError, match="give one of them"):
        Extent()


def test_replies_are_handed_on(server) -> None:
    """Each reply comes with the number of its request and the index of its payload, and its size is recorded."""
    seen = []
    payloads = requests("a", "bc")
    run = load(server, payloads, ClosedLoop(1), Extent(requests=4), on_reply=lambda *reply: seen.append(reply))

    texts = {
        (number, payload, translation_pb2.TranslateResponse.FromString(reply).hypotheses[0].text)
        for number, payload, reply in seen
    }
    first, second = run.samples.payload[:2]
    words = {0: "A", 1: "BC"}
    assert texts == {(number, payload, words[payload]) for number, payload in enumerate([first, second] * 2)}
    assert list(run.samples.size) == [len(reply) for _, _, reply in seen]


def test_connections_take_turns(server) -> None:
    """Channels to one address are connections of their own, with equal shares of the requests."""
    peers: Counter[str] = Counter()

    def note(request, context):
        peers[context.peer()] += 1
        return server.reply(request, context)

    server.every = note
    load(server, requests("a"), ClosedLoop(1), Extent(requests=9), connections=3)

    assert sorted(peers.values()) == [3, 3, 3]


def test_nobody_at_the_address(server, dead_address: str) -> None:
    """A load on nobody is an error before the first request."""
    server.address = dead_address
    with pytest.raises(ServerUnreachable, match=dead_address):
        load(server, requests("a"), ClosedLoop(1), Extent(requests=1))


def test_records_survive_json() -> None:
    """Records written as JSON and read again are the same."""
    samples = Samples()
    samples.add(3, 0.1, 0.2, 0.30000000000000004, 14, 0)
    samples.messages[14] = "gone"

    assert Samples.from_dict(json.loads(json.dumps(samples.as_dict()))) == samples
