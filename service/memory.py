"""How much memory this process may still take."""

from pathlib import Path

MEMORY = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
# Bytes that a loaded version takes for each of its bundle's: weights as fp32 in several sessions, and the tables. An
# engine's process takes 365 MB for the bundled 19 MB (`seq2serve_engine_resident_memory_bytes` under load).
LOADED = 20


def available_bytes(memory: Path = MEMORY, cgroup: Path = CGROUP) -> int | None:
    """Return what the machine and the container (cgroup v2, else v1) leave; none where neither tells."""
    found = []
    if memory.is_file():
        fields = dict(line.split(":") for line in memory.read_text().splitlines() if ":" in line)
        found.append(1024 * int(fields["MemAvailable"].split()[0]))
    for limit, taken, stat, cache in (
        ("memory.max", "memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
    ):
        bound = _text(cgroup / limit)
        if bound and bound != "max":
            # What was read from files counts as taken, and is given up for whoever needs memory.
            kept = dict(line.split() for line in _text(cgroup / stat).splitlines()).get(cache, "0")
            found.append(int(bound) - int(_text(cgroup / taken)) + int(kept))
            break
    return min(found, default=None)


def _text(file: Path) -> str:
    return file.read_text().strip() if file.is_file() else ""
