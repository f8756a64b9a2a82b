"""How an engine is at a moment, in plain numbers that another process can be sent."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from service.device.state import DeviceState
from service.scheduler import Scheduler
from service.stats import EngineStats

MEMORY = Path("/proc/self/statm")  # pages: all, resident, ...


@dataclass(frozen=True)
class EngineState:
    """Hold what is in line and in slots, and what has been done so far."""

    waiting: int  # requests
    waiting_source_tokens: int
    oldest_lined_up_at: float  # monotonic seconds; 0: nobody waits
    running: int  # slots in use
    slots: int
    load: float  # how many times the slots are needed
    recent_step_seconds: float
    stats: EngineStats
    failed: bool  # nothing will ever be answered
    device: DeviceState | None  # none on the CPU
    cpu_seconds: float  # of the process that the engine is in
    resident_bytes: int  # of that process; 0: not known

    @classmethod
    def of(cls, scheduler: Scheduler, stats: EngineStats, failed: bool, device: DeviceState | None = None) -> Self:
        """Look at the parts of an engine, and at this process."""
        oldest = scheduler.oldest
        return cls(
            waiting=scheduler.waiting,
            waiting_source_tokens=scheduler.waiting_source_tokens,
            oldest_lined_up_at=oldest.lined_up_at if oldest else 0.0,
            running=scheduler.running,
            slots=scheduler.slots,
            load=scheduler.load,
            recent_step_seconds=scheduler.pace.recent_seconds,
            stats=stats,
            failed=failed,
            device=device,
            cpu_seconds=time.process_time(),
            resident_bytes=resident_bytes(),
        )


def resident_bytes() -> int:
    """Return what this process has of the memory; 0 where the system does not tell."""
    return int(MEMORY.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if MEMORY.is_file() else 0
