"""The cores of a container are those that its cgroup grants; each may have a thread that stays."""

import logging
import os
import sys
import threading
from pathlib import Path

import pytest

from service import cpu

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps single threads on a core")


@pytest.fixture
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


@pytest.mark.usefixtures("_eight_cores")
@pytest.mark.parametrize(
    ("content", "cores"), [("max 100000", 8), ("50000 100000", 1), ("250000 100000", 3), ("9900000 100000", 8)]
)
def test_quota_of_cgroup_v2(tmp_path: Path, content: str, cores: int) -> None:
    """A part of a core counts as one; a quota above the cores changes nothing."""
    (tmp_path / "cpu.max").write_text(content)
    assert cpu.available_cpus(tmp_path) == cores


@pytest.mark.usefixtures("_eight_cores")
@pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("150000", 2)])
def test_quota_of_cgroup_v1(tmp_path: Path, quota: str, cores: int) -> None:
    """The older files are read where the newer one is missing."""
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert cpu.available_cpus(tmp_path) == cores


@pytest.mark.usefixtures("_eight_cores")
def test_no_cgroup(tmp_path: Path) -> None:
    """Without any quota the affinity counts."""
    assert cpu.available_cpus(tmp_path) == 8


def _cores_of_a_thread(number: int, threads: int) -> set[int]:
    """Return on which cores a thread may run that was to be kept to one."""
    found: list[set[int]] = []

    def work() -> None:
        cpu.keep_to_a_core(number, threads)
        found.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return found[0]


@linux
def test_as_many_threads_as_cores_have_one_each() -> None:
    """Each stays on its own, and the thread that started them may run on all."""
    cores = os.sched_getaffinity(0)
    taken = [_cores_of_a_thread(number, len(cores)) for number in range(len(cores))]
    assert [len(one) for one in taken] == [1] * len(cores)
    assert set().union(*taken) == cores == os.sched_getaffinity(0)


@linux
def test_other_numbers_of_threads_run_anywhere() -> None:
    """Where cores are left over, or do not suffice, nobody is kept."""
    cores = os.sched_getaffinity(0)
    for threads in (len(cores) - 1, len(cores) + 1):
        assert _cores_of_a_thread(0, threads) == cores


@linux
def test_a_sandbox_may_forbid_it(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Where threads cannot be kept on a core they work all the same, and the log says so."""

    def forbidden(pid: int, cores: set[int]) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    caplog.set_level(logging.INFO)
    cores = os.sched_getaffinity(0)
    assert _cores_of_a_thread(0, len(cores)) == cores
    assert "Operation not permitted" in caplog.text
