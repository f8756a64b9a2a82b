"""Which versions are wanted follows from the folders and the policy."""

from pathlib import Path

import pytest

from service.errors import StartupError, VersionNotFound
from service.repository import Repository

FOUND = [("de-en", 4), ("en-de", 1), ("en-de", 2), ("en-de", 10)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Make folders of versions, and what is to be passed over."""
    for name, version in FOUND:
        (tmp_path / name / str(version)).mkdir(parents=True)
    (tmp_path / "en-de" / ".3").mkdir()
    (tmp_path / ".export").mkdir()
    (tmp_path / "README.md").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("all", FOUND),
        ("1", [("de-en", 4), ("en-de", 10)]),
        ("2", [("de-en", 4), ("en-de", 2), ("en-de", 10)]),
        ("en-de/1", [("en-de", 1)]),
        ("en-de/2, de-en/4,en-de/2", [("de-en", 4), ("en-de", 2)]),
    ],
)
def test_wanted(path: Path, policy: str, wanted: list[tuple[str, int]]) -> None:
    """All, the highest by number, or those that are named."""
    assert Repository(path, policy).wanted() == wanted


@pytest.mark.parametrize(
    ("aliases", "more"), [("", []), ("en-de:stable=10", []), ("en-de:stable=1,en-de:canary=2@0.1", [1, 2])]
)
def test_what_aliases_name_is_wanted_too(path: Path, aliases: str, more: list[int]) -> None:
    """Whatever the policy says."""
    assert Repository(path, "1", aliases).wanted() == [("de-en", 4), *(("en-de", version) for version in [*more, 10])]


@pytest.mark.parametrize(("alias", "there"), [("en-de:stable=3", "1, 2, 10"), ("xx:stable=1", "none")])
def test_aliases_of_what_is_not_there(path: Path, alias: str, there: str) -> None:
    """The error says which versions there are."""
    with pytest.raises(StartupError, match=rf"--aliases {alias}: .* has no version {alias[-1]}, but {there}$"):
        Repository(path, "all", alias).wanted()


@pytest.mark.parametrize("policy", ["0", "none", "en-de", "en-de/0", "en-de/1,", "en-de/3", "xx/1", "-1", "en-de/.3"])
def test_bad_policy(path: Path, policy: str) -> None:
    """What cannot be read or is not there is refused, with the value."""
    with pytest.raises(StartupError, match="--serve-versions"):
        Repository(path, policy).wanted()


def test_what_is_no_version_is_named(path: Path) -> None:
    """A folder that is no number, and one without versions, stop the start."""
    (path / "en-de" / "backup").mkdir()
    with pytest.raises(StartupError, match=r"en-de/backup: a version is a folder named 1, 2"):
        Repository(path).wanted()
    (path / "en-de" / "backup").rmdir()
    (path / "xx").mkdir()
    with pytest.raises(StartupError, match="xx: holds no version"):
        Repository(path).wanted()


def test_the_versions_of_one_model(path: Path) -> None:
    """What is odd about others does not matter."""
    (path / "lost+found").mkdir()
    (path / "de-en" / "backup").mkdir()
    assert Repository(path).versions("en-de") == [1, 2, 10]
    assert Repository(path).versions("xx") == []
    with pytest.raises(StartupError, match=r"de-en/backup: a version is a folder named 1, 2"):
        Repository(path).versions("de-en")


def test_another_file_has_another_stamp(path: Path) -> None:
    """However soon it is put in the place of the first."""
    repository, file = Repository(path), path / "en-de" / "1" / "manifest.json"
    empty = repository.stamp(("en-de", 1))
    file.write_text("{}")
    first = repository.stamp(("en-de", 1))
    (path / "new").write_text("{}")
    (path / "new").rename(file)
    assert len({empty, first, repository.stamp(("en-de", 1))}) == 3
    assert repository.stamp(("en-de", 3)) == frozenset()


@pytest.mark.parametrize("name", ["..", ".", "", "xx", ".export", "en-de/1/..", "/etc", "README.md", "a\0b"])
def test_names_lead_nowhere_else(path: Path, name: str) -> None:
    """A name that is no folder of the repository is not found, whatever it would lead to."""
    with pytest.raises(VersionNotFound):
        Repository(path / "en-de").read((name, 1))
    with pytest.raises(VersionNotFound):
        Repository(path).read((name, 1))
    assert Repository(path).stamp((name, 1)) == frozenset()
