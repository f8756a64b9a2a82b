"""What is left of memory is the least of what the machine and the container leave."""

from pathlib import Path

import pytest

from service.memory import available_bytes


def test_the_tighter_bound_counts(tmp_path: Path) -> None:
    """A container's bound below that of the machine counts, one above it does not, and none is none."""
    machine, container = tmp_path / "meminfo", tmp_path / "cgroup"
    container.mkdir()
    assert available_bytes(machine, container) is None
    machine.write_text("MemTotal:  2000 kB\nMemAvailable:  1000 kB\n")
    assert available_bytes(machine, container) == 1_024_000
    (container / "memory.current").write_text("100\n")
    for limit, left in (("max", 1_024_000), ("500", 400), ("9000000", 1_024_000)):
        (container / "memory.max").write_text(limit)
        assert available_bytes(machine, container) == left


@pytest.mark.parametrize(
    ("folder", "limit", "current", "cache"),
    [
        (".", "memory.max", "memory.current", "inactive_file"),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ],
    ids=["v2", "v1"],
)
def test_what_was_read_from_files_is_left(tmp_path: Path, folder: str, limit: str, current: str, cache: str) -> None:
    """A container's page cache is given up for whoever needs memory, as that of the machine is."""
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / limit).write_text("2000\n")
    (tmp_path / folder / current).write_text("1900\n")
    assert available_bytes(tmp_path / "meminfo", tmp_path) == 100
    (tmp_path / folder / "memory.stat").write_text(f"cache 1700\n{cache} 1500\nactive_file 100\n")
    assert available_bytes(tmp_path / "meminfo", tmp_path) == 1600


def test_this_machine_has_some() -> None:
    """The real files can be read."""
    left = available_bytes()
    assert left is None or left > 0
