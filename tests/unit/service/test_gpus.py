"""GPUs are counted by the driver, where there is one."""

import ctypes
from typing import Any

import pytest

from service.gpus import count_gpus


class Driver:
    """A libcuda with so many devices, or one that fails."""

    def __init__(self, devices: int, status: int = 0) -> None:
        self._devices, self._status = devices, status

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return self._status

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802
        count._obj.value = self._devices
        return 0


@pytest.mark.parametrize(("driver", "gpus"), [(Driver(4), 4), (Driver(0), 0), (Driver(4, status=100), 0)])
def test_the_driver_says_how_many(monkeypatch: pytest.MonkeyPatch, driver: Driver, gpus: int) -> None:
    """A driver that fails has none."""
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    assert count_gpus() == gpus


def test_without_a_driver_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a GPU has no libcuda."""

    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert count_gpus() == 0
