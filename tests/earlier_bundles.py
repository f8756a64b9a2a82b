"""Bundles as earlier commits wrote them, of a tiny model with random weights; all are of format version 1.

`first` has no tables and no step_greedy, its encoder is the GRU operator; `tables` has them, in one precision;
`parents` has steps ahead and those for GPUs, too, but its greedy steps follow parents. What came after is what
`model_repository/en-de/1` is.
"""

import tarfile
from pathlib import Path

ARCHIVES = {path.name.split(".")[0]: path for path in sorted((Path(__file__).parent / "data" / "bundles").glob("*.xz"))}
FIRST, TABLES, PARENTS = "format-1-first", "format-1-tables", "format-1-parents"


def unpack(name: str, repository: Path) -> Path:
    """Unpack an earlier bundle into a model repository; returns the bundle's folder."""
    with tarfile.open(ARCHIVES[name]) as archive:
        archive.extractall(repository, filter="data")
    return repository / "xx-yy" / "1"
