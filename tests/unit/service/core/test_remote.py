"""An engine in a process of its own says what one here does, and its end, however it comes, leaves nobody waiting."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from queue import SimpleQueue
from typing import Any

import numpy
import pytest
import uvloop

from service.bundle import Bundle, read_bundle
from service.core import remote
from service.core.local import LocalCore
from service.core.remote import RemoteCore
from service.core.wire import Logs
from service.errors import Draining, InternalError, ParityError, QueueFull, StartupError
from service.intake import Intake
from service.limits import EngineLimits
from service.options import SearchOptions
from service.provider import Device
from service.request import Request, Status
from service.search.hypothesis import FinishReason
from service.setup import Setup
from tests.earlier_bundles import TABLES, unpack

LONG = SearchOptions(200, min_length=199)  # takes long enough to be interrupted
KINDS: list[dict[str, Any]] = [{"scored": False}, {}, {"beam_size": 3, "num_hypotheses": 2}, {"alignment": True}]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Read a tiny bundle."""
    return read_bundle(unpack(TABLES, tmp_path_factory.mktemp("repository")))


class Inbox:
    """Keep the news of requests, and wait for them."""

    def __init__(self) -> None:
        self.told: list[Request] = []
        self._changed = asyncio.Event()

    def notify(self, requests: list[Request]) -> None:
        """Take news."""
        self.told += requests
        self._changed.set()

    async def until(self, *requests: Request) -> None:
        """Wait until requests have ended."""
        async with asyncio.timeout(60):
            while not all(request.finished_at for request in requests):
                await self._changed.wait()
                self._changed.clear()


@asynccontextmanager
async def started(bundle: Bundle, slots: int = 4, queue: int = 64) -> AsyncIterator[tuple[RemoteCore, Inbox]]:
    """Start an engine's process, and end it."""
    inbox = Inbox()
    setup = Setup(bundle, Device("cpu"), 2, EngineLimits(slots, queue))
    core = await asyncio.to_thread(RemoteCore, setup, asyncio.get_running_loop(), inbox.notify, Logs(level="warning"))
    try:
        yield core, inbox
    finally:
        await asyncio.to_thread(core.close)
        await asyncio.sleep(0)  # the transport closes


def make_requests(bundle: Bundle) -> list[Request]:
    intake = Intake(bundle)
    sources = [list(golden.source_ids) for golden in bundle.manifest.golden]
    return [intake.request(ids, SearchOptions(30, **kind)) for ids in sources for kind in KINDS]


def test_it_says_what_a_core_here_says(bundle: Bundle) -> None:
    """To the bit, and with the times of each stage, which are of one clock."""
    expected = make_requests(bundle)
    news: SimpleQueue[list[Request]] = SimpleQueue()
    here = LocalCore(Setup(bundle, Device("cpu"), 2, EngineLimits(4, 64)), news.put)
    assert here._engine.scheduler.replaces
    for request in expected:
        here.submit(request)
    while not all(request.finished_at for request in expected):
        news.get(timeout=60)
    here.close()

    async def ask() -> list[Request]:
        async with started(bundle) as (core, inbox):
            requests = make_requests(bundle)
            for request in requests:
                core.submit(request)
            await inbox.until(*requests)
            state = await asyncio.to_thread(core.observe)
            assert state.stats.source_tokens == sum(len(request.source_ids) for request in requests)
            assert (state.running, state.waiting, state.failed, core.busy) == (0, 0, False, False)
            assert state.resident_bytes > 0
            assert core.facts.precision == here.facts.precision
            return requests

    for found, wanted in zip(uvloop.run(ask()), expected, strict=True):
        assert found.finish_reason == wanted.finish_reason
        assert found.steps == wanted.steps
        times = (found.submitted_at, found.taken_at, found.encoded_at, found.joined_at, found.first_token_at)
        assert sorted(times) == list(times)
        assert found.first_token_at <= found.finished_at
        for one, other in zip(found.hypotheses, wanted.hypotheses, strict=True):
            assert one.ids == other.ids
            numpy.testing.assert_equal((one.log_probability, one.rank), (other.log_probability, other.rank))
            numpy.testing.assert_array_equal(one.token_scores, other.token_scores)
            numpy.testing.assert_equal(one.alignment, other.alignment)


def test_streams_are_on_their_way_until_there_is_news_of_them(bundle: Bundle) -> None:
    """The pieces that are certain grow until the end."""

    async def ask() -> None:
        async with started(bundle) as (core, inbox):
            request = Intake(bundle).request([5, 6, 7], SearchOptions(20, min_length=19), streams=True)
            core.submit(request)
            assert request.status is Status.SENT
            await inbox.until(request)
            assert len(inbox.told) > 5  # in line, pieces, the end
            assert request.certain.ids == request.hypotheses[0].ids[: len(request.certain.ids)]

    uvloop.run(ask())


def test_who_is_refused_is_told_why(bundle: Bundle) -> None:
    """As the line is the engine's; it counts as a request that never left an engine."""

    async def ask() -> None:
        async with started(bundle, slots=1, queue=1) as (core, inbox):
            requests = [Intake(bundle).request([5, 6, 7], LONG) for _ in range(8)]
            for request in requests:
                core.submit(request)
            await inbox.until(*requests)
            refused = [request for request in requests if request.error]
            assert refused
            for request in refused:
                assert isinstance(request.error, QueueFull)
                assert request.error.retry_after is not None
                assert (request.finish_reason, request.hypotheses) == (None, [])

    uvloop.run(ask())


def test_who_is_given_up_hears_nothing_more(bundle: Bundle) -> None:
    """Its slot is free for the next."""

    async def ask() -> None:
        async with started(bundle, slots=1) as (core, inbox):
            first, second = (Intake(bundle).request([5, 6, 7], LONG) for _ in range(2))
            core.submit(first)
            core.cancel(first)
            core.cancel(first)
            core.submit(second)
            await inbox.until(second)
            assert first not in inbox.told
            assert (first.finish_reason, first.status) == (FinishReason.CANCELLED, Status.FINISHED)
            late = Intake(bundle).request([5, 6, 7], LONG)
            core.submit(late)
            late.deadline = 0.0
            core.cancel(late)
            assert late.finish_reason is FinishReason.DEADLINE

    uvloop.run(ask())


def test_a_process_that_dies_fails_what_it_had(bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody waits for it, and nothing more is handed over; the log says what ended it."""

    async def ask() -> None:
        async with started(bundle, slots=1) as (core, inbox):
            requests = [Intake(bundle).request([5, 6, 7], LONG) for _ in range(3)]
            for request in requests:
                core.submit(request)
            os.kill(core.pid, signal.SIGKILL)
            await inbox.until(*requests)
            assert all(isinstance(request.error, InternalError) for request in requests)
            assert {request.finish_reason for request in requests} == {FinishReason.ERROR}
            assert core.failed
            with pytest.raises(InternalError):
                core.submit(requests[0])
            await asyncio.to_thread(core.observe)  # says what was known last

    uvloop.run(ask())
    assert "the engine's process was ended by SIGKILL, as when memory runs out" in caplog.text
    assert "did not end in time" not in caplog.text


def test_a_process_that_cannot_be_understood_is_ended(
    bundle: Bundle, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop goes on, what it had fails, and the log says why; its close finds nothing to wait for."""

    async def ask() -> None:
        async with started(bundle) as (core, inbox):
            monkeypatch.setattr(core, "hear", lambda news: [][1])
            request = Intake(bundle).request([5, 6, 7], SearchOptions(5))
            core.submit(request)
            await inbox.until(request)
            assert isinstance(request.error, InternalError)
            assert core.failed

    uvloop.run(ask())
    assert "the engine's process was killed, as it could not be heard any more" in caplog.text
    assert "did not end in time" not in caplog.text


def test_a_process_that_hangs_answers_with_what_was_known(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """And with what is new once it goes on: answers that came too late are not taken for later ones."""
    monkeypatch.setattr(remote, "ANSWER_SECONDS", 0.05)

    async def ask() -> None:
        async with started(bundle) as (core, inbox):
            before = core.state
            os.kill(core.pid, signal.SIGSTOP)
            assert await asyncio.to_thread(core.observe) is before
            assert await asyncio.to_thread(core.observe) is before
            os.kill(core.pid, signal.SIGCONT)
            monkeypatch.setattr(remote, "ANSWER_SECONDS", 20.0)
            request = Intake(bundle).request([5, 6, 7], SearchOptions(5))
            core.submit(request)
            await inbox.until(request)
            assert (await asyncio.to_thread(core.observe)).stats.source_tokens == 3

    uvloop.run(ask())


def test_the_end_fails_what_is_left_with_draining(bundle: Bundle) -> None:
    """The process is gone then, and refuses what comes later."""

    async def ask() -> None:
        async with started(bundle, slots=1) as (core, inbox):
            requests = [Intake(bundle).request([5, 6, 7], LONG) for _ in range(3)]
            for request in requests:
                core.submit(request)
            await asyncio.to_thread(core.close)
            await inbox.until(*requests)
            assert any(isinstance(request.error, Draining) for request in requests)
            assert all(request.error is None or isinstance(request.error, Draining) for request in requests)
            assert not core.failed
            with pytest.raises(Draining):
                core.submit(requests[0])
            with pytest.raises(ProcessLookupError):
                os.kill(core.pid, 0)

    uvloop.run(ask())


def test_a_refused_bundle_is_refused_here(bundle: Bundle) -> None:
    """With the error that says why, of its own kind, and without a process that stays."""
    golden = bundle.manifest.golden[0]
    outputs = {name: output.model_copy(update={"ids": (7,)}) for name, output in golden.outputs.items()}
    changed = golden.model_copy(update={"outputs": outputs})
    manifest = bundle.manifest.model_copy(update={"golden": (changed, *bundle.manifest.golden[1:])})

    async def ask() -> None:
        with pytest.raises(ParityError, match=r"golden sentence .* gives"):
            async with started(bundle.model_copy(update={"manifest": manifest})):
                raise AssertionError("it must not be served")

    uvloop.run(ask())


@pytest.mark.parametrize(
    ("code", "ending"),
    [("raise SystemExit(3)", "ended with status 3"), ("import os; os.kill(os.getpid(), 9)", "was ended by SIGKILL")],
)
def test_a_process_that_ends_while_it_loads(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, code: str, ending: str
) -> None:
    """The message says how, as nothing else does."""
    monkeypatch.setattr(remote, "COMMAND", (sys.executable, "-c", code))

    async def ask() -> None:
        with pytest.raises(StartupError, match=f"the engine's process {ending}.* while it loaded"):
            async with started(bundle):
                raise AssertionError("nothing was loaded")

    uvloop.run(ask())
