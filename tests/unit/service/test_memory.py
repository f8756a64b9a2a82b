"""What is left of memory is the least of what the machine and the container leave."""

from pathlib import Path

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


def test_this_machine_has_some() -> None:
    """The real files can be read."""
    left = available_bytes()
    assert left is None or left > 0
