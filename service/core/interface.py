"""What a model needs of whatever computes for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from service.device.state import DeviceState
from service.request import Request
from service.state import EngineState

Emit = Callable[[list[Request]], None]
REPLAYED = 8  # golden sentences that prove a bundle


@dataclass(frozen=True)
class Facts:
    """Say what became of a setup: these stay as they are."""

    precision: str
    provider: str  # of the sessions; one that runs elsewhere was refused
    cpu_nodes: int  # of graphs on a GPU
    device: DeviceState | None  # once all was loaded; none on the CPU
    load_seconds: float
    loaded_at: float  # Unix time


class Core(Protocol):
    """Answer requests, here or in another process."""

    @property
    def facts(self) -> Facts:
        """What is loaded."""
        ...

    @property
    def failed(self) -> bool:
        """Whether nothing will ever be answered."""
        ...

    @property
    def busy(self) -> bool:
        """Whether somebody is waiting for an answer."""
        ...

    @property
    def state(self) -> EngineState:
        """The state as it was last known, without asking."""
        ...

    def observe(self) -> EngineState:
        """Ask for the state; that may take as long as a step."""
        ...

    def submit(self, request: Request) -> None:
        """Hand a request over; there is news of it when it has ended, or more is certain."""
        ...

    def cancel(self, request: Request) -> None:
        """Give a request up."""
        ...

    def close(self) -> None:
        """Fail what is left with `draining`, and end; a second time nothing happens."""
        ...
