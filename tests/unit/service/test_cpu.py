"""The cores of a container are those that its cgroup grants, and its threads take turns on them."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from service import cpu
from tests.batch_policy import needs_batch


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


def _in_a_thread(work: Callable[[], object]) -> int:
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


@needs_batch
def test_threads_take_turns() -> None:
    """Threads that a thread begins wait for their turn as it does; where another policy was chosen, it stays."""

    def chosen() -> None:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        assert cpu.take_turns() == ""

    assert _in_a_thread(cpu.take_turns) == os.SCHED_BATCH
    assert _in_a_thread(chosen) == os.SCHED_IDLE
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@needs_batch
def test_a_system_without_the_policy_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS, where Python has no name for it."""
    monkeypatch.delattr(cpu.os, "SCHED_BATCH")
    assert _in_a_thread(cpu.take_turns) == os.SCHED_OTHER


def test_a_sandbox_that_refuses_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts the server hears why its threads take no turns."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    for name, value in (("SCHED_BATCH", 3), ("SCHED_OTHER", 0), ("sched_getscheduler", lambda pid: 0)):
        monkeypatch.setattr(cpu.os, name, value, raising=False)
    monkeypatch.setattr(cpu.os, "sched_param", lambda priority: priority, raising=False)
    monkeypatch.setattr(cpu.os, "sched_setscheduler", refuse, raising=False)
    assert "not permitted" in cpu.take_turns()
