"""What it takes to run a bundle."""

from dataclasses import dataclass

from service.bundle import Bundle
from service.limits import EngineLimits
from service.provider import Device


@dataclass(frozen=True)
class Setup:
    """Say what to run, on what, and how much of it at a time."""

    bundle: Bundle
    device: Device
    threads: int
    limits: EngineLimits
    precision: str = "auto"
    measured: bool = True  # count what is done
