"""The cores of a container are those that its cgroup grants, and its threads take turns on them."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from service import cpu


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("content", "cores"), [("max 100000", 8), ("50000 100000", 1), ("250000 100000", 3), ("9900000 100000", 8)]
)
def test_quota_of_cgroup_v2(tmp_path: Path, content: str, cores: int) -> None:
    """A part of a core counts as one; a quota above the cores changes nothing."""
    (tmp_path / "cpu.max").write_text(content)
    assert cpu.available_cpus(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("150000", 2)])
def test_quota_of_cgroup_v1(tmp_path: Path, quota: str, cores: int) -> None:
    """The older files are read where the newer one is missing."""
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert cpu.available_cpus(tmp_path) == cores


def test_no_cgroup(tmp_path: Path) -> None:
    """Without any quota the affinity counts."""
    assert cpu.available_cpus(tmp_path) == 8


def _in_a_thread(work: Callable[[], None]) -> int:
    """Return how a thread is scheduled that began in another, which did this first."""
    found: list[int] = []

    def first() -> None:
        work()
        second = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
        second.start()
        second.join()

    thread = threading.Thread(target=first)
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="Linux alone schedules so")
def test_threads_take_turns() -> None:
    """Threads that a thread begins wait for their turn as it does; where another way was chosen, it stays."""

    def chosen(policy: int) -> None:
        os.sched_setscheduler(0, policy, os.sched_param(0))
        cpu.take_turns()

    assert _in_a_thread(cpu.take_turns) == os.SCHED_BATCH
    assert _in_a_thread(lambda: chosen(os.SCHED_IDLE)) == os.SCHED_IDLE
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.mark.skipif(not hasattr(cpu.os, "SCHED_BATCH"), reason="Linux alone schedules so")
def test_a_system_without_the_policy_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cpu.os, "SCHED_BATCH")
    assert _in_a_thread(cpu.take_turns) == os.SCHED_OTHER
