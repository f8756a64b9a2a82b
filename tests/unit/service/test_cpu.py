"""The cores of a container are those that its cgroup grants."""

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
