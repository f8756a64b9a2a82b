"""A room is never overfull, and everybody gets in, in order."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from service.room import Room


@given(st.integers(1, 8), st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=20))
def test_nobody_is_left_outside(places: int, visits: list[tuple[int, bool]]) -> None:
    """All who stay in line get in, in order, and never hold more than there is; some give up at any moment."""
    entered, inside = [], 0

    async def visit(room: Room, number: int, wanted: int) -> None:
        nonlocal inside
        async with room.take(wanted):
            entered.append(number)
            inside += min(wanted, places)
            assert inside <= places
            try:
                await asyncio.sleep(0)
            finally:
                inside -= min(wanted, places)

    async def run() -> None:
        room = Room(places)
        tasks = [asyncio.create_task(visit(room, number, wanted)) for number, (wanted, _) in enumerate(visits)]
        for task, (_, gives_up) in zip(tasks, visits, strict=True):
            await asyncio.sleep(0)
            if gives_up:
                task.cancel()
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
        assert all(
            outcome is None or (gives_up and isinstance(outcome, asyncio.CancelledError))
            for outcome, (_, gives_up) in zip(done, visits, strict=True)
        )
        await asyncio.wait_for(visit(room, len(visits), places), 10)  # all places are free again

    asyncio.run(run())
    staying = [number for number, (_, gives_up) in enumerate(visits) if not gives_up]
    assert entered == sorted(entered)
    assert set(staying) <= set(entered)


def test_a_wide_one_is_not_passed_by_narrow_ones() -> None:
    """Who needs all places gets them before those who came later, although these would fit."""
    order = []

    async def visit(room: Room, wanted: int) -> None:
        async with room.take(wanted):
            order.append(wanted)
            await asyncio.sleep(0)

    async def run() -> None:
        room = Room(4)
        await asyncio.gather(*(visit(room, wanted) for wanted in (2, 4, 1, 1)))

    asyncio.run(run())
    assert order == [2, 4, 1, 1]
