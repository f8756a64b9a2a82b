"""`python -m export import` as a user meets it."""

import re
from pathlib import Path

import pytest

from export.__main__ import main
from export.foreign.command import run
from service.bundle import read_bundle
from tests.unit.export.checkpoints import pieces_of, write_marian, write_untied_marian
from tests.unit.models.factories import lexicon_pairs

pytestmark = pytest.mark.torch


def test_an_import_is_a_bundle_that_is_served(vocabulary: Path, tmp_path: Path) -> None:
    """The command writes a version whose golden translations a server replays, with eos behind each source.

    The model would be refused, but for what the caller says of its vocabulary.
    """
    names = write_untied_marian(tmp_path / "model.npz", pieces_of(vocabulary))
    golden = tmp_path / "golden.txt"
    golden.write_text("\n".join(source for source, _ in lexicon_pairs(200, seed=8)), encoding="utf-8")
    arguments = ["marian", str(tmp_path / "model.npz"), str(tmp_path / "repository" / "en-de"), "--pieces", str(names)]
    flags = ["--vocabulary", str(vocabulary), "--languages", "en", "de", "--golden", str(golden)]
    folder = run([*arguments, *flags, "--one-vocabulary"])
    manifest = read_bundle(folder).manifest
    assert manifest.source_end
    assert manifest.golden
    assert manifest.training_data == ("imported from marian",)


def _refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Return the one line that the command ends with."""
    monkeypatch.setattr("sys.argv", ["python -m export", "import", *map(str, arguments)])
    assert main() == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(
    ("content", "languages", "why"),
    [
        (None, ("en", "de"), r"--golden .*golden.txt: No such file"),
        (b"caf\xe9\n", ("en", "de"), r"--golden .*golden.txt: not UTF-8 \(.* at byte 3\)"),
        (b" \n\n", ("en", "de"), r"--golden .*golden.txt: holds no sentence"),
        (b"mira bako.\n", ("e", "de"), "--languages e de: must be codes"),
    ],
)
def test_a_bad_flag_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: bytes | None,
    languages: tuple[str, str],
    why: str,
) -> None:
    """It names the flag, before the checkpoint is read."""
    golden = tmp_path / "golden.txt"
    if content is not None:
        golden.write_bytes(content)
    flags = ["--vocabulary", "none.model", "--languages", *languages, "--golden", golden]
    assert re.search(why, _refused(monkeypatch, capsys, "opennmt", "none.pt", tmp_path / "en-de", *flags))


def test_too_few_golden_sentences_name_the_flag(
    vocabulary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An import has no recipe that could be given others."""
    names = write_marian(tmp_path / "model.npz", pieces_of(vocabulary))
    (tmp_path / "golden.txt").write_text("mira " * 300, encoding="utf-8")
    flags = ["--pieces", names, "--vocabulary", vocabulary, "--languages", "en", "de"]
    arguments = ["marian", tmp_path / "model.npz", tmp_path / "repository" / "en-de", *flags]
    said = _refused(monkeypatch, capsys, *arguments, "--golden", tmp_path / "golden.txt")
    assert "1 are needed: give others with --golden. Left out" in said
