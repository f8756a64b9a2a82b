"""What a soak calls a leak."""

import pytest

from benchmarks.soak import leaks, slope

QUIET = {"slots": 0.0, "line": 0.0, "tasks": 22.0, "fds": 17.0, "MB": 380.0, "threads": 15.0}
FLAT = [380.0, 384.0, 386.0, 385.0, 386.0, 385.0, 386.0, 385.0]


def test_what_is_held_as_before_is_no_leak() -> None:
    """Nor is less of it, or memory that grew at first only."""
    assert leaks(QUIET, {**QUIET, "fds": 16.0, "MB": 386.0}, FLAT) == []


@pytest.mark.parametrize("name", ["slots", "line", "tasks", "fds", "threads"])
def test_what_is_held_once_all_is_quiet_is_a_leak(name: str) -> None:
    """One of it is enough."""
    after = {**QUIET, name: QUIET[name] + 1}
    assert leaks(QUIET, after, FLAT) == [f"{name}: {QUIET[name]:.0f} before, {after[name]:.0f} after"]


def test_memory_that_grows_to_the_end_is_a_leak() -> None:
    """Its slope is told by the hour."""
    memory = [380.0 + 5 * minute for minute in range(8)]
    assert leaks(QUIET, QUIET, memory) == ["memory grew by 3.8 % over the second half"]
    assert slope([60.0 * minute for minute in range(8)], memory) == pytest.approx(300)
