"""A balancer learns from the time of a server's steps how much of the calls it should have."""

import asyncio
from collections.abc import Sequence

import pytest

from service.agent import Agent
from service.errors import StartupError
from service.scheduler import Scheduler
from service.state import EngineState
from service.stats import EngineStats
from tests.factories import make_request, make_scheduler

FULL = 0.02


def busy(step_seconds: float) -> Scheduler:
    """Return a scheduler that has a request in a slot, and steps of this time."""
    scheduler = make_scheduler(slots=2)
    scheduler.submit(make_request(5, 6, 7))
    (request,) = scheduler.schedule().encoding
    scheduler.ready(0, [request])
    assert scheduler.running
    scheduler.pace.recent_seconds = step_seconds
    return scheduler


def state_of(scheduler: Scheduler) -> EngineState:
    return EngineState.of(scheduler, EngineStats(), failed=False)


def agent_of(*schedulers: Scheduler) -> Agent:
    return Agent(FULL, lambda: map(state_of, schedulers))


@pytest.mark.parametrize(
    ("step_seconds", "weight"),
    [(0.0001, 100), (0.01, 100), (0.02, 100), (0.04, 50), (0.2, 10), (60.0, 1)],
)
def test_the_weight_falls_as_steps_take_longer(step_seconds: float, weight: int) -> None:
    """It is whole up to a limit, so that servers that are well are alike, and never nothing."""
    assert agent_of(busy(step_seconds)).weight() == weight


def test_the_slowest_model_counts() -> None:
    """Calls of all models come to the same server."""
    assert agent_of(busy(0.01), busy(0.08)).weight() == 25


def test_an_idle_engine_changes_nothing() -> None:
    """What was learned while there was work holds until there is work again."""
    idle = make_scheduler(slots=2)
    idle.pace.recent_seconds = 1.0
    serving: Sequence[Scheduler] = [idle]
    agent = Agent(FULL, lambda: map(state_of, serving))
    assert agent.weight() == 100
    serving = [idle, busy(0.04)]
    assert agent.weight() == 50
    serving = [idle]
    assert agent.weight() == 50


async def ask(address: str) -> bytes:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answer = await reader.read()
    writer.close()
    return answer


def test_each_connection_gets_a_line() -> None:
    """As HAProxy reads it: up to the end of the line."""

    async def answers() -> list[bytes]:
        agent = agent_of(busy(0.04))
        address = await agent.start("127.0.0.1:0")
        asked = [await ask(address), await ask(address)]
        await agent.close()
        return asked

    assert asyncio.run(answers()) == [b"50%\n", b"50%\n"]


def test_a_taken_address_is_named() -> None:
    """Nothing is served by a server whose balancer would hear nothing."""

    async def take_twice() -> None:
        first = agent_of()
        address = await first.start("127.0.0.1:0")
        try:
            with pytest.raises(StartupError, match=f"--agent-address {address}: .*choose a free one"):
                await agent_of().start(address)
        finally:
            await first.close()

    asyncio.run(take_twice())
