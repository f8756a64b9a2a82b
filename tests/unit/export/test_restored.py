"""A bundle as a training run that another one begins with."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor

from export import __main__ as command
from export.errors import TargetError
from export.origin import read_origin
from export.restore import RestoreError, restore
from export.restored import restore_run
from models import checkpoint
from models.checkpoint import load_best
from models.seq2seq import Seq2Seq
from models.start import start_run
from models.training import Trainer
from service.bundle import read_bundle
from tests.earlier_bundles import TABLES, unpack
from tests.unit.models.factories import data_config, lexicon_pairs, training_config, write_tsv

pytestmark = pytest.mark.torch

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack a bundle that no test may change."""
    return unpack(TABLES, tmp_path_factory.mktemp("restored"))


def _weights(model: Seq2Seq) -> dict[str, Tensor]:
    return dict(model.named_parameters())


def test_run_has_what_the_bundle_tells(bundle: Path, tmp_path: Path) -> None:
    """Weights, vocabulary, architecture, languages, texts, licence and golden sentences."""
    restore_run(bundle, tmp_path / "run")
    recipe, tokenizer, model, _ = load_best(tmp_path / "run", CPU)
    _, theirs = restore(bundle)
    manifest = read_bundle(bundle).manifest
    assert all(torch.equal(tensor, _weights(theirs)[name]) for name, tensor in _weights(model).items())
    assert tokenizer.path.read_bytes() == bundle.joinpath(manifest.vocabulary.file).read_bytes()
    assert recipe.model == theirs.config
    assert recipe.data.vocabulary_size == len(tokenizer) == manifest.vocabulary.size
    assert (recipe.data.source_language, recipe.data.target_language) == ("en", "de")
    assert list(recipe.data.golden) == [golden.source for golden in manifest.golden]
    assert [file.path for file in recipe.data.train] == list(manifest.training_data)
    assert recipe.data.licence == manifest.licence
    assert not read_origin(tmp_path / "run").scores  # an export of it would claim to have measured them
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_another_run_begins_with_it(bundle: Path, tmp_path: Path) -> None:
    """A bundle learns on: restored, and named as the origin of a run with a text of its own."""
    restore_run(bundle, tmp_path / "origin")
    write_tsv(tmp_path / "train.tsv", lexicon_pairs(40, seed=7))
    write_tsv(tmp_path / "valid.tsv", lexicon_pairs(8, seed=8))
    theirs, _, model, _ = load_best(tmp_path / "origin", CPU)
    recipe = theirs.model_copy(update={"data": data_config(), "training": training_config(max_updates=4)})
    tokenizer = start_run(recipe, tmp_path, tmp_path / "run", tmp_path / "origin")
    trainer = Trainer(recipe, tokenizer, tmp_path, tmp_path / "run", CPU)
    trainer.resume()
    assert all(torch.equal(tensor, _weights(model)[name]) for name, tensor in _weights(trainer.model).items())
    trainer.train()
    assert load_best(tmp_path / "run", CPU)[3].update == 4
    found = read_origin(tmp_path / "run")
    texts = [*read_bundle(bundle).manifest.training_data, "train.tsv"]
    assert [file.path for file in found.data.train] == list(dict.fromkeys(texts))
    assert found.scores


def test_folder_that_exists_is_left_alone(bundle: Path, tmp_path: Path) -> None:
    """Nothing is overwritten."""
    (tmp_path / "run").mkdir()
    with pytest.raises(TargetError, match="run exists: choose another folder"):
        restore_run(bundle, tmp_path / "run")
    assert not list((tmp_path / "run").iterdir())


def test_run_is_no_bundle(bundle: Path, tmp_path: Path) -> None:
    """A run is refused by saying what a bundle is."""
    restore_run(bundle, tmp_path / "run")
    with pytest.raises(RestoreError, match=r"run is no bundle: name the folder of a version, with its manifest.json"):
        restore_run(tmp_path / "run", tmp_path / "again")


@pytest.mark.parametrize(
    ("writing", "error"),
    [("save_file", SafetensorError("I/O error: disk full")), ("write_recipe", OSError(28, "disk full"))],
    ids=["weights", "recipe"],
)
def test_nothing_half_written_stays(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writing: str, error: Exception
) -> None:
    """A full disk is told in words, and leaves no folder behind."""

    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(checkpoint, writing, full)
    with pytest.raises(TargetError, match=r"cannot write to .*run: .*disk full"):
        restore_run(bundle, tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("taken", [False, True])
def test_command(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], taken: bool
) -> None:
    """`python -m export restore` prints the folder of the run, or why there is none."""
    if taken:
        (tmp_path / "run").mkdir()
    monkeypatch.setattr(sys, "argv", ["export", "restore", str(bundle), str(tmp_path / "run")])
    assert command.main() == taken
    printed = capsys.readouterr()
    assert (f"error: {tmp_path / 'run'} exists" in printed.err) == taken
    assert printed.out == ("" if taken else f"{tmp_path / 'run'}\n")
