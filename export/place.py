"""Where a bundle goes: built beside its place, hidden, and renamed into it whole."""

import contextlib
import fcntl
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from export.errors import TargetError

log = logging.getLogger("export.place")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def choose_version(target: Path, version: int | None) -> int:
    """Return `version`, or the next after those in REPOSITORY/NAME.

    Raises:
        TargetError: the name is not one for a model, or the version is no number from 1 up or exists.
    """
    if not NAME.fullmatch(target.name):
        raise TargetError(f"{target}: {target.name!r} is no name for a model (use letters, digits, '-', '_' and '.')")
    if target.exists() and not target.is_dir():
        raise TargetError(f"{target} is a file: name a folder, MODEL_REPOSITORY/NAME")
    taken = {int(p.name) for p in target.iterdir() if p.name.isdecimal()} if target.exists() else set()
    if version is None:
        return max(taken, default=0) + 1
    if version < 1:
        raise TargetError(f"--version {version}: versions start at 1")
    if version in taken:
        raise TargetError(f"{target / str(version)} exists: choose another --version, or none for the next free one")
    return version


@contextlib.contextmanager
def unfinished(target: Path, version: int) -> Iterator[Path]:
    """Give a hidden folder to build a version in; on success it becomes REPOSITORY/NAME/VERSION, otherwise it goes.

    A killed export leaves its hidden folder, which no server reads and the next export of the model deletes.

    Raises:
        TargetError: the repository cannot be written, or the version has come to be meanwhile.
    """
    part = target.with_name(f".{target.name}-{secrets.token_hex(4)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _delete_stale(target)
        (part / str(version)).mkdir(parents=True)
        lock = os.open(part, os.O_RDONLY)  # a dead process holds no lock, so it tells the stale folders
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        raise TargetError(f"cannot write to {target.parent}: {error.strerror}") from error
    try:
        yield part / str(version)
        _move(part, target, version)
    finally:
        os.close(lock)
        shutil.rmtree(part, ignore_errors=True)


def _delete_stale(target: Path) -> None:
    for folder in target.parent.glob(f".{target.name}-*.part"):
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
            log.info("deleted %s, left by an export that was killed", folder)
        except BlockingIOError:
            log.info("%s belongs to an export that is running", folder)
        finally:
            os.close(lock)


def _move(part: Path, target: Path, version: int) -> None:
    """Make the version appear in one rename, of the model's folder if it is the first."""
    with contextlib.suppress(OSError):  # the model has versions already
        part.rename(target)
        return
    try:
        (part / str(version)).rename(target / str(version))
    except OSError as error:
        raise TargetError(f"cannot create {target / str(version)}: {error.strerror}") from error
