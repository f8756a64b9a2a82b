"""What an engine takes on where nothing is set."""

import pytest

from service.limits import EngineLimits
from service.provider import Device
from service.settings import Settings


@pytest.mark.parametrize(
    ("device", "threads", "slots"),
    [
        ("cpu", 1, 32),
        ("cpu", 2, 32),
        ("cpu", 3, 48),
        ("cpu", 4, 64),
        ("cpu", 64, 64),
        ("cuda", 1, 512),
        ("cuda", 8, 512),
    ],
)
def test_slots_are_as_many_as_suit_the_device(device: str, threads: int, slots: int) -> None:
    """On a CPU that is 16 for each shard, and 32 at least; a GPU has one shard."""
    assert EngineLimits.of(Settings(), Device(device), threads).slots == slots


def test_slots_that_are_set_are_taken() -> None:
    """Whatever the device."""
    assert EngineLimits.of(Settings(slots=5), Device("cpu"), 4).slots == 5
