"""How many cores this process may really use, which a container's quota decides, and how its threads share them."""

import math
import os
import sys
import threading
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
NICENESS = 10


def available_cpus(cgroup: Path = CGROUP) -> int:
    """Return the cores of the CPU affinity or of the cgroup's quota (v2, else v1), whichever is less; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota_v2(cgroup / "cpu.max") or _quota_v1(cgroup / "cpu")
    return max(1, min(cores, math.ceil(quota)) if quota else cores)


def take_turns() -> str:
    """Let this thread, and those and the processes that it begins, wait for their turn on a core that is busy.

    With every core at work, whoever wakes up for a message would stop a step of the engine for it. Where the server has
    been given another policy than the default, that stays. Returns why the system refuses it, as a sandbox may, or
    nothing.
    """
    if hasattr(os, "SCHED_BATCH"):
        try:
            if os.sched_getscheduler(0) == os.SCHED_OTHER:
                os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        except OSError as error:
            return str(error)
    return ""


def give_way() -> None:
    """Let the other threads of this process have more of a core, where there are fewer than threads that have work.

    Linux alone has niceness for single threads; elsewhere it would slow the process down.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _quota_v2(file: Path) -> float | None:
    try:
        quota, period = file.read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None


def _quota_v1(folder: Path) -> float | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        return quota / int((folder / "cpu.cfs_period_us").read_text()) if quota > 0 else None
    except (OSError, ValueError):
        return None
