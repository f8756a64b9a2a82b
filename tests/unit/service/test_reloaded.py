"""What is read from files follows them, unless they are broken."""

import logging
import os
from pathlib import Path

import pytest

from service.errors import StartupError
from service.reloaded import Reloaded


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "number"
    path.write_text("1")
    return path


def number(file: Path) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError) as error:
        raise StartupError(f"{file} holds no number") from error


def test_a_changed_file_is_read_again(file: Path) -> None:
    """The value is that of the last refresh."""
    reloaded = Reloaded([file], lambda: number(file))
    file.write_text("22")
    assert reloaded.value == 1
    reloaded.refresh()
    assert reloaded.value == 22


def test_an_unchanged_file_is_not_read(file: Path) -> None:
    """A refresh without a change costs no reading."""
    reads = []
    reloaded = Reloaded([file], lambda: reads.append(None))
    reloaded.refresh()
    assert len(reads) == 1


@pytest.mark.parametrize("broken", ["", "x", None], ids=["empty", "wrong", "gone"])
def test_a_broken_change_keeps_the_old(file: Path, broken: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged as an error, once, and what follows is taken up again."""
    reloaded = Reloaded([file], lambda: number(file))
    if broken is None:
        file.unlink()
    else:
        file.write_text(broken)
    reloaded.refresh()
    reloaded.refresh()
    assert reloaded.value == 1
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        f"what was read before stays in force: {file} holds no number"
    ]
    file.write_text("333")
    reloaded.refresh()
    assert reloaded.value == 333


def test_a_turned_link_is_a_change(tmp_path: Path) -> None:
    """Orchestrators renew a mounted secret by turning a link, with equal sizes and times."""
    for name, text in (("old", "1"), ("new", "2")):
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, ns=(0, 0))
    link = tmp_path / "link"
    link.symlink_to("old")
    reloaded = Reloaded([link], lambda: number(link))
    (tmp_path / "other").symlink_to("new")
    (tmp_path / "other").replace(link)
    reloaded.refresh()
    assert reloaded.value == 2


def test_the_first_reading_must_succeed(tmp_path: Path) -> None:
    """A server does not start with files that it cannot use."""
    with pytest.raises(StartupError, match="holds no number"):
        Reloaded([tmp_path / "none"], lambda: number(tmp_path / "none"))
