"""How much memory this process may still take."""

from pathlib import Path

MEMORY = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
# Bytes that a loaded version takes for each of its bundle's: weights as fp32 in several sessions, and the tables. An
# engine's process takes 365 MB for the bundled 19 MB (`seq2serve_engine_resident_memory_bytes` under load).
LOADED = 20


def available_bytes(memory: Path = MEMORY, cgroup: Path = CGROUP) -> int | None:
    """Return what the machine and the container leave; none where neither tells."""
    found = []
    if memory.is_file():
        fields = dict(line.split(":") for line in memory.read_text().splitlines() if ":" in line)
        found.append(1024 * int(fields["MemAvailable"].split()[0]))
    limit = cgroup / "memory.max"
    if limit.is_file() and limit.read_text().strip() != "max":
        # What was read from files counts as taken, and is given up for whoever needs memory.
        kept = cgroup / "memory.stat"
        cache = dict(line.split() for line in kept.read_text().splitlines()) if kept.is_file() else {}
        taken = int((cgroup / "memory.current").read_text()) - int(cache.get("inactive_file", 0))
        found.append(int(limit.read_text()) - taken)
    return min(found, default=None)
