"""Workers are started, started again and stopped as promised; with processes that only pretend, in virtual time."""

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from service.settings import Settings
from service.workers.plan import Plan, plan_workers
from service.workers.supervisor import Supervisor
from tests import virtual_time

NEVER = 1e9
DRAIN_SECONDS = 5.0


class Pretended:
    """A process that is ready after a time, ends when it is told to, and takes a while to drain."""

    def __init__(self, pid: int, ready_after: float, drained: int = 0) -> None:
        self.pid, self._drained = pid, drained
        self.signals: list[signal.Signals] = []
        self._loop = asyncio.get_running_loop()
        self.started = self._loop.time()
        self._ready_at = self.started + ready_after
        self._ended: asyncio.Future[int] = self._loop.create_future()

    @property
    def running(self) -> bool:
        return not self._ended.done()

    def end(self, status: int) -> None:
        if self.running:
            self._ended.set_result(status)

    async def wait(self) -> int:
        return await self._ended

    async def is_ready(self) -> bool:
        return self.running and not self.signals and self._loop.time() >= self._ready_at

    def send(self, number: signal.Signals) -> None:
        self.signals.append(number)
        if number == signal.SIGKILL or self._loop.time() < self._ready_at:  # no handler yet
            self.end(-number)
        elif len(self.signals) == 1:
            self._loop.call_later(DRAIN_SECONDS, self.end, self._drained)


class Stage:
    """A supervisor of workers that pretend; each test is a story of who ends when."""

    def __init__(self, workers: int = 2) -> None:
        self.plans = plan_workers(Settings.model_validate({"workers": workers}), cpus=workers, gpus=0)
        self.started: list[list[Pretended]] = [[] for _ in self.plans]
        self.announced = 0
        self.ready_after: Callable[[Plan], float] = lambda plan: 2.0
        self.drained: dict[int, int] = {}
        self.refusals = 0
        self.supervisor = Supervisor(self.plans, self._start, self._announce)
        self.run = asyncio.ensure_future(self.supervisor.run())

    def last(self, number: int) -> Pretended:
        return self.started[number][-1]

    async def _start(self, plan: Plan) -> Pretended:
        await asyncio.sleep(0.05)
        if self.refusals:
            self.refusals -= 1
            raise OSError("Cannot allocate memory")
        process = Pretended(100 + plan.number, self.ready_after(plan), self.drained.get(plan.number, 0))
        self.started[plan.number].append(process)
        return process

    def _announce(self) -> None:
        self.announced += 1


def play(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Play a story in virtual time."""
    virtual_time.run(story())


def test_all_are_started_at_once_and_announced_once() -> None:
    """Nobody waits for another to be ready, and who comes back later is not announced again."""

    async def story() -> None:
        stage = Stage(workers=3)
        await asyncio.sleep(1)
        assert [len(processes) for processes in stage.started] == [1, 1, 1]
        assert stage.announced == 0
        await asyncio.sleep(2)
        assert stage.announced == 1
        stage.last(1).end(-signal.SIGKILL)
        await asyncio.sleep(10)
        assert len(stage.started[1]) == 2
        assert stage.announced == 1
        stage.supervisor.on_signal(signal.SIGTERM)
        assert await stage.run == 0

    play(story)


def test_a_worker_that_ends_is_started_again_ever_later_while_others_go_on() -> None:
    """After 1, 2, 4, 8, 16, 30, 30 seconds, however it ended; and after 1 again, once it has served for a minute."""

    async def story() -> None:
        stage = Stage()
        ends: list[float] = []
        for round_ in range(7):
            await asyncio.sleep(40)
            assert len(stage.started[0]) == round_ + 1
            ends.append(asyncio.get_running_loop().time())
            stage.last(0).end((1, -signal.SIGKILL, 0)[round_ % 3])
        await asyncio.sleep(100)
        stage.last(0).end(1)
        ends.append(asyncio.get_running_loop().time())
        await asyncio.sleep(40)
        pauses = [later.started - end for later, end in zip(stage.started[0][1:], ends, strict=True)]
        assert pauses == pytest.approx([1.05, 2.05, 4.05, 8.05, 16.05, 30.05, 30.05, 1.05])
        assert len(stage.started[1]) == 1
        assert stage.last(1).running
        stage.supervisor.on_signal(signal.SIGTERM)
        assert await stage.run == 0

    play(story)


def test_who_has_served_is_tried_again_even_if_it_does_not_start() -> None:
    """A port that is taken for a while, or no memory, takes nothing from those who serve."""

    async def story() -> None:
        stage = Stage()
        await asyncio.sleep(5)
        stage.ready_after = lambda plan: NEVER
        stage.refusals = 1
        stage.last(0).end(-signal.SIGKILL)
        await asyncio.sleep(5)
        assert len(stage.started[0]) == 2  # after one that could not even be started
        stage.ready_after = lambda plan: 2.0
        stage.last(0).end(1)
        await asyncio.sleep(20)
        assert [len(processes) for processes in stage.started] == [3, 1]
        assert stage.last(0).running
        stage.supervisor.on_signal(signal.SIGTERM)
        assert await stage.run == 0

    play(story)


@pytest.mark.parametrize(("status", "code"), [(1, 1), (2, 2), (-signal.SIGSEGV, 139), (0, 1)])
def test_a_worker_that_does_not_start_stops_all(status: int, code: int, caplog: pytest.LogCaptureFixture) -> None:
    """The others drain, its status is the supervisor's, and the log says which worker it was."""

    async def story() -> None:
        stage = Stage(workers=3)
        stage.ready_after = lambda plan: NEVER if plan.number == 1 else 2.0
        await asyncio.sleep(3)
        stage.last(1).end(status)
        assert await stage.run == code
        assert asyncio.get_running_loop().time() == pytest.approx(3 + DRAIN_SECONDS, abs=0.2)
        assert [process.signals for (process,) in stage.started] == [[signal.SIGTERM], [], [signal.SIGTERM]]
        assert stage.announced == 0

    play(story)
    assert any("worker 1 did not start" in line for line in caplog.messages)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_goes_to_each_worker_once_and_all_are_waited_for(number: signal.Signals) -> None:
    """Those that serve drain, those that load or wait to be started again end; the status is 0."""

    async def story() -> None:
        stage = Stage(workers=3)
        await asyncio.sleep(4)
        stage.ready_after = lambda plan: NEVER
        stage.last(1).end(1)
        await asyncio.sleep(1.5)  # it loads
        stage.last(2).end(1)
        await asyncio.sleep(0.5)  # it waits
        stage.supervisor.on_signal(number)
        assert await stage.run == 0
        assert asyncio.get_running_loop().time() == pytest.approx(6 + DRAIN_SECONDS, abs=0.2)
        assert [processes[-1].signals for processes in stage.started] == [[number], [number], []]

    play(story)


def test_a_signal_reaches_a_worker_that_is_just_being_started() -> None:
    """Nobody is left behind by a signal that comes between the start and its end."""

    async def story() -> None:
        stage = Stage()
        await asyncio.sleep(0.01)
        stage.supervisor.on_signal(signal.SIGTERM)
        assert await stage.run == 0
        assert [process.signals for (process,) in stage.started] == [[signal.SIGTERM], [signal.SIGTERM]]

    play(story)


def test_a_second_signal_ends_all_at_once() -> None:
    """Nobody drains any longer, and the status tells of the signal."""

    async def story() -> None:
        stage = Stage()
        await asyncio.sleep(5)
        stage.supervisor.on_signal(signal.SIGTERM)
        await asyncio.sleep(1)
        stage.supervisor.on_signal(signal.SIGINT)
        assert await stage.run == 128 + signal.SIGINT
        assert asyncio.get_running_loop().time() == pytest.approx(6)
        assert [process.signals for (process,) in stage.started] == [[signal.SIGTERM, signal.SIGKILL]] * 2

    play(story)


def test_a_worker_that_does_not_drain_makes_the_status(caplog: pytest.LogCaptureFixture) -> None:
    """A crash in the drain is no success, and all others are waited for."""

    async def story() -> None:
        stage = Stage()
        stage.drained = {0: -signal.SIGSEGV}
        await asyncio.sleep(5)
        stage.supervisor.on_signal(signal.SIGTERM)
        assert await stage.run == 128 + signal.SIGSEGV

    with caplog.at_level(logging.INFO):
        play(story)
    assert any(
        "worker 0 has ended before it was done (signal 11, Segmentation fault)" in line for line in caplog.messages
    )
