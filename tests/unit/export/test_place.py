"""Where a bundle goes, and that it is there whole or not at all."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from export.errors import TargetError
from export.place import choose_version, unfinished

pytestmark = pytest.mark.torch


def write(target: Path, version: int, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Write a version with one file, and do something else before it is finished."""
    with unfinished(target, version) as folder:
        (folder / "manifest.json").write_text(target.name)
        meanwhile()


def test_next_version_follows_the_highest(tmp_path: Path) -> None:
    target = tmp_path / "repository" / "en-de"
    assert choose_version(target, None) == 1
    write(target, 1)
    write(target, 9)
    assert choose_version(target, None) == 10
    assert choose_version(target, 4) == 4
    assert sorted(path.name for path in target.iterdir()) == ["1", "9"]
    assert sorted(path.name for path in target.parent.iterdir()) == ["en-de"]


@pytest.mark.parametrize(("name", "version", "why"), [
    ("en-de", 1, "1 exists: choose another --version"),
    ("en-de", 0, "versions start at 1"),
    (".en-de", None, "no name for a model"),
    ("en de", None, "no name for a model"),
    ("file", None, "is a file"),
])  # fmt: skip
def test_unfit_target_is_refused(tmp_path: Path, name: str, version: int | None, why: str) -> None:
    write(tmp_path / "en-de", 1)
    (tmp_path / "file").touch()
    with pytest.raises(TargetError, match=why):
        choose_version(tmp_path / name, version)


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TargetError, match=f"cannot write to {tmp_path}/file"):
        write(tmp_path / "file" / "en-de", 1)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_failure_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(error):
        write(tmp_path / "en-de", 1, meanwhile=fail)
    assert not list(tmp_path.iterdir())


def test_nothing_is_visible_before_the_end(tmp_path: Path) -> None:
    seen: list[str] = []
    write(tmp_path / "en-de", 1, meanwhile=lambda: seen.extend(os.listdir(tmp_path)))
    assert [(name[:7], name[-5:]) for name in seen] == [(".en-de-", ".part")]


def test_version_that_came_to_be_meanwhile_is_kept(tmp_path: Path) -> None:
    early = tmp_path / "en-de" / "1" / "early"

    def overtake() -> None:
        early.parent.mkdir(parents=True)
        early.touch()

    with pytest.raises(TargetError, match="cannot create"):
        write(tmp_path / "en-de", 1, meanwhile=overtake)
    assert os.listdir(early.parent) == ["early"]
    assert os.listdir(tmp_path) == ["en-de"]


def test_stale_folder_is_deleted_and_a_living_one_kept(tmp_path: Path) -> None:
    for name in (".en-de-dead.part", ".en-de-alive.part", ".en-fr-dead.part"):
        (tmp_path / name / "1").mkdir(parents=True)
    lock = os.open(tmp_path / ".en-de-alive.part", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    write(tmp_path / "en-de", 1)
    os.close(lock)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".en-de-alive.part", ".en-fr-dead.part", "en-de"]
