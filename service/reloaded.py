"""What was read from files, and is read again when they change; a broken change leaves the old in force."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from service.errors import StartupError

log = logging.getLogger("service.reloaded")
T = TypeVar("T")
_Stamp = tuple[tuple[int, int, int] | None, ...]


class Reloaded(Generic[T]):
    """Hold the last good value of some files."""

    def __init__(self, paths: Sequence[Path], read: Callable[[], T]) -> None:
        """Read the files for the first time.

        Raises:
            StartupError: `read` refuses them; it names the file and the fault.
        """
        self._paths = tuple(paths)
        self._read = read
        self._stamp = self._stamps()  # before reading: what changes meanwhile is read again
        self.value = read()

    def refresh(self) -> None:
        """Read the files again if they have changed since they were last tried."""
        stamp = self._stamps()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.value = self._read()
        except StartupError as error:
            log.error("what was read before stays in force: %s", error)
        else:
            log.info("read again: %s", ", ".join(map(str, self._paths)))

    def _stamps(self) -> _Stamp:
        return tuple(_stamp(path) for path in self._paths)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Tell contents apart; follows links, since an orchestrator replaces a secret by turning a link."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
