"""Training text that trained models make for others, by the command that users call."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from models import checkpoint, distillation
from models.beam import search
from models.checkpoint import Progress, write_checkpoint
from models.config import Recipe, TextFile
from models.data import read_pairs
from models.ensemble import Ensemble
from models.greedy import default_max_length
from models.start import start_run
from tests.unit.models.factories import data_config, lexicon_pairs, recipe, run_main, write_tsv

pytestmark = pytest.mark.torch

PAIRS = lexicon_pairs(40)


def _teacher(folder: Path, name: str, seed: int, content: Recipe) -> Path:
    """Make a run whose model has random weights."""
    run = folder / name
    tokenizer = start_run(content, folder / "data", run)
    torch.manual_seed(seed)
    model = checkpoint.build_model(content, tokenizer)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    write_checkpoint(run / "best", model, Progress(), None)
    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write texts in which one sentence stands twice."""
    for name in ("train.tsv", "copy.tsv"):
        write_tsv(tmp_path / "data" / name, [*PAIRS, PAIRS[3]])
    write_tsv(tmp_path / "data" / "valid.tsv", PAIRS[:4])
    return tmp_path


def test_students_read_what_their_teachers_say(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each source once, with what the ensemble's beams make of it, is text that a recipe can name."""
    runs = [_teacher(folder, "one", 1, recipe()), _teacher(folder, "two", 2, recipe({"decoder_hidden_size": 9}))]
    out = folder / "data" / "distilled" / "en-de"
    assert run_main(monkeypatch, "distill", *runs, "--data", folder / "data", "--out", out, "--beam", "3") == 0
    found = read_pairs(folder / "data", [TextFile(path="distilled/en-de")], data_config())
    loaded = [checkpoint.load_best(run, torch.device("cpu")) for run in runs]
    ensemble, tokenizer = Ensemble([model for _, _, model, _ in loaded]), loaded[0][1]
    expected = []
    for source, _ in PAIRS:
        (row,) = tokenizer.encode([source])
        expected.append((source, *tokenizer.decode(search(ensemble, [row], [default_max_length(len(row))], 3))))
    assert found == [pair for pair in expected if pair[1].strip()]
    assert len(found) > len(PAIRS) / 2
    assert {path.name for path in out.parent.iterdir()} == {"en-de.en.txt", "en-de.de.txt"}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"vocabulary_size": 40}, "another vocabulary"),
        ({"target_language": "nl"}, "target_language"),
        ({"train": ["copy.tsv"]}, "has train ="),
    ],
)
def test_teachers_that_do_not_fit_together_are_refused(
    data: dict[str, object],
    says: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Who has another vocabulary, language or text than the first is named, and nothing is written."""
    runs = [_teacher(folder, "one", 1, recipe()), _teacher(folder, "two", 2, recipe(data=data))]
    out = folder / "data" / "distilled"
    assert run_main(monkeypatch, "distill", *runs, "--data", folder / "data", "--out", out) == 1
    said = capsys.readouterr().err
    assert says in said
    assert str(runs[1]) in said
    assert not list((folder / "data").glob("distilled*"))


def test_both_sides_are_written_or_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the second does not fit on the disk, both files are those of the time before, and nothing else is left."""
    out = folder / "data" / "distilled" / "en-de"
    out.parent.mkdir()
    before = {"en-de.en.txt": "mira\n", "en-de.de.txt": "tolun\n"}
    for name, content in before.items():
        out.with_name(name).write_text(content, encoding="utf-8")
    write = Path.write_text

    def full(path: Path, *arguments: Any, **more: Any) -> int:
        if path.suffix == ".part" and ".de" in path.suffixes:
            write(path, "")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, *arguments, **more)

    arguments = ("distill", _teacher(folder, "one", 1, recipe()), "--data", folder / "data", "--out", out)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        assert run_main(patch, *arguments) == 1
    assert "No space left" in capsys.readouterr().err
    assert {path.name: path.read_text(encoding="utf-8") for path in out.parent.iterdir()} == before


def test_models_that_say_nothing_teach_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(distillation, "in_batches", lambda rows, decode: [[] for _ in rows])
    arguments = ("distill", _teacher(folder, "one", 1, recipe()), "--data", folder / "data")
    assert run_main(monkeypatch, *arguments, "--out", folder / "data" / "distilled") == 1
    assert f"the models say nothing of any of {len(PAIRS)} sources" in capsys.readouterr().err
    assert not list((folder / "data").glob("distilled*"))


def test_a_beam_of_none_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is loaded for a beam that holds nothing."""
    arguments = ("distill", folder, "--data", folder, "--out", folder / "out", "--beam", "0")
    assert run_main(monkeypatch, *arguments) == 1
    assert "--beam 0" in capsys.readouterr().err
