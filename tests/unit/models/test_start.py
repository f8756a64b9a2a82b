"""How runs begin and go on: which folders are taken, and what a run takes over from an origin."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from models import checkpoint
from models.checkpoint import RunError
from models.config import Recipe
from models.data import DataError
from models.start import resume_run, start_run
from models.tokenizer import VocabularyError
from models.training import Trainer
from tests.unit.models.factories import lexicon_pairs, recipe, write_tsv

pytestmark = pytest.mark.torch

CPU = torch.device("cpu")
PAIRS = lexicon_pairs(60)
TUNED = recipe({"readout_dropout": 0.3}, training={"max_updates": 6, "warmup_updates": 0, "learning_rate": 0.001})


class _Killed(BaseException):
    """Stand for a SIGKILL."""


def _die(*_: Any) -> None:
    raise _Killed


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a run that others begin with."""
    folder = tmp_path_factory.mktemp("origin")
    write_tsv(folder / "train.tsv", PAIRS)
    write_tsv(folder / "valid.tsv", PAIRS[:20])
    content = recipe(data={"licence": "first"})
    Trainer(content, start_run(content, folder, folder / "run"), folder, folder / "run", CPU).train()
    return folder / "run"


def _trainer(content: Recipe, data: Path, run: Path, origin: Path | None = None) -> Trainer:
    trainer = Trainer(content, start_run(content, data, run, origin), data, run, CPU)
    if origin:
        trainer.resume()
    return trainer


def _stored(origin: Path) -> dict[str, list[float]]:
    return {
        name: tensor.flatten().tolist() for name, tensor in load_file(origin / "best" / "model.safetensors").items()
    }


def _weights(trainer: Trainer) -> dict[str, list[float]]:
    return {name: parameter.flatten().tolist() for name, parameter in trainer.model.named_parameters()}


def test_a_run_begins_with_the_weights_and_vocabulary_of_its_origin(data: Path, tmp_path: Path, origin: Path) -> None:
    """They are those of the origin's best model, whatever text the run has; what is dropped out may differ."""
    write_tsv(data / "train.tsv", lexicon_pairs(40, seed=5))
    trainer = _trainer(TUNED, data, tmp_path / "run", origin)
    assert _weights(trainer) == _stored(origin)
    assert (tmp_path / "run" / "vocabulary.model").read_bytes() == (origin / "vocabulary.model").read_bytes()
    assert trainer.model.config.readout_dropout == 0.3


def test_a_run_with_an_origin_is_ahead(data: Path, tmp_path: Path, origin: Path) -> None:
    """After the same few updates the loss is below that of fresh weights."""
    runs = [_trainer(TUNED, data, tmp_path / "fresh"), _trainer(TUNED, data, tmp_path / "tuned", origin)]
    for run in runs:
        run.train()
    fresh, tuned = (run.progress.losses[-1] for run in runs)
    assert tuned < fresh - 0.1
    assert [run.progress.update for run in runs] == [6, 6]


def test_a_broken_run_begins_again_with_its_origin(
    data: Path, tmp_path: Path, origin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken off before its first checkpoint it starts with the origin's weights, and ends like an unbroken one."""
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "save", _die)
        with pytest.raises(_Killed):
            _trainer(TUNED, data, tmp_path / "run", origin).train()
    torch.manual_seed(4321)
    broken = Trainer(TUNED, resume_run(TUNED, tmp_path / "run"), data, tmp_path / "run", CPU)
    broken.resume()
    assert _weights(broken) == _stored(origin)
    broken.train()
    unbroken = _trainer(TUNED, data, tmp_path / "unbroken", origin)
    unbroken.train()
    assert _weights(broken) == _weights(unbroken)


def test_the_start_is_none_of_the_best(data: Path, tmp_path: Path, origin: Path) -> None:
    """What a run ends with is what it has learned: its start is neither averaged nor kept."""
    trainer = _trainer(TUNED, data, tmp_path / "run", origin)
    assert [folder.name for folder in checkpoint.checkpoints(tmp_path / "run")] == ["0000000"]
    assert checkpoint.best_checkpoints(tmp_path / "run", 5) == []
    trainer.train()
    assert [folder.name for folder in checkpoint.checkpoints(tmp_path / "run")] == ["0000004", "0000006"]


def test_texts_and_licences_of_origins_are_remembered(data: Path, tmp_path: Path, origin: Path) -> None:
    """Those of each before it, oldest first and once, and its own; the rest is the recipe's."""
    for name in ("more", "most"):
        write_tsv(data / f"{name}.tsv", PAIRS)
    first = checkpoint.read_run(origin)[0]
    assert checkpoint.read_data(origin, first) == first.data
    assert first.data.licence == "first"
    second = recipe(data={"train": ["more.tsv"], "licence": "second", "valid": ["train.tsv"]})
    again = {"path": "more.tsv", "columns": ["target", "source"]}
    third = recipe(data={"train": ["most.tsv", again], "licence": "third; first"})
    _trainer(second, data, tmp_path / "second", origin).train()
    start_run(third, data, tmp_path / "third", tmp_path / "second")
    found = checkpoint.read_data(tmp_path / "third", third)
    assert [file.path for file in found.train] == ["train.tsv", "more.tsv", "most.tsv"]
    assert found.licence == "first; second; third"
    assert found.valid == third.data.valid
    (tmp_path / "third" / "origin.json").write_text("{")
    with pytest.raises(RunError, match=r"third/origin.json does not say what .*third began with"):
        checkpoint.read_data(tmp_path / "third", third)


def test_a_best_model_alone_is_not_resumed(data: Path, tmp_path: Path, origin: Path) -> None:
    """Nothing would tell where it was: fresh weights would take its place."""
    start_run(recipe(), data, tmp_path / "run")
    (tmp_path / "run" / "best").symlink_to(origin / "best")
    with pytest.raises(RunError, match=r"run has its best model alone.*begin another run, --origin .*run"):
        resume_run(recipe(), tmp_path / "run")


def test_weights_that_cannot_be_written_are_an_error(
    data: Path, tmp_path: Path, origin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is told in words, and leaves no run."""

    def full(_: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(RunError, match=r"cannot write .*run/checkpoints/0000000: I/O error: No space left"):
        start_run(TUNED, data, tmp_path / "run", origin)
    assert not (tmp_path / "run" / "recipe.json").exists()
    assert not list((tmp_path / "run" / "checkpoints").iterdir())


def test_what_is_left_of_a_run_is_no_place_for_another(data: Path, tmp_path: Path, origin: Path) -> None:
    """Its checkpoints would be taken for the new run's."""
    _trainer(TUNED, data, tmp_path / "run").train()
    (tmp_path / "run" / "recipe.json").unlink()
    for given in (None, origin):
        with pytest.raises(RunError, match=r"run has checkpoints, of a run whose recipe.json is gone"):
            start_run(TUNED, data, tmp_path / "run", given)
    assert not (tmp_path / "run" / "origin.json").exists()


def test_an_origin_of_a_start_that_was_broken_off_is_forgotten(
    data: Path, tmp_path: Path, origin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who starts without an origin has fresh weights, in whatever folder."""
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_recipe", _die)
        with pytest.raises(_Killed):
            start_run(TUNED, data, tmp_path / "run", origin)
    assert checkpoint.checkpoints(tmp_path / "run")
    broken, fresh = (_weights(_trainer(TUNED, data, tmp_path / name)) for name in ("run", "fresh"))
    assert broken == fresh
    assert not checkpoint.checkpoints(tmp_path / "run")
    assert not (tmp_path / "run" / "origin.json").exists()


@pytest.mark.parametrize(
    ("model", "size", "why"),
    [
        ({}, 45, r"data.vocabulary_size is 45, but .*origin0/run has a vocabulary of 46 pieces.*vocabulary_size = 46"),
        ({"cell": "lstm"}, 46, r"origin0/run is not the recipe's \(\[model\]\): cell is 'gru', not 'lstm'$"),
        (
            {"bridge": "mean", "attention_size": 8},
            46,
            r"attention_size is 4, not 8; bridge is 'last', not 'mean'$",
        ),
    ],
)
def test_another_model_than_the_origins_is_refused(
    data: Path, tmp_path: Path, origin: Path, model: dict[str, Any], size: int, why: str
) -> None:
    """What differs is named with both values, and no run comes to be."""
    with pytest.raises(RunError, match=why):
        start_run(recipe(model, {"vocabulary_size": size}), data, tmp_path / "run", origin)
    assert not (tmp_path / "run").exists()


def test_an_origin_needs_a_best_model(data: Path, tmp_path: Path) -> None:
    """A run that has not ended is no origin yet, and the error says how it becomes one."""
    start_run(recipe(), data, tmp_path / "unfinished")
    with pytest.raises(RunError, match=r"unfinished has no best model yet.*python -m models average"):
        start_run(recipe(), data, tmp_path / "run", tmp_path / "unfinished")
    assert not (tmp_path / "run").exists()


def test_a_run_in_use_is_refused_without_resume(data: Path, tmp_path: Path) -> None:
    """A folder that holds a run is not overwritten: the error names the folder and --resume."""
    start_run(recipe(), data, tmp_path / "run")
    with pytest.raises(RunError, match=rf"{tmp_path / 'run'} already holds a run.*--resume"):
        start_run(recipe(), data, tmp_path / "run")


def test_resuming_with_another_recipe_is_refused(data: Path, tmp_path: Path) -> None:
    """A run goes on with the recipe that it was started with, or not at all."""
    start_run(recipe(), data, tmp_path / "run")
    with pytest.raises(RunError, match="the recipe differs"):
        resume_run(recipe(training={"learning_rate": 0.5}), tmp_path / "run")


def test_there_must_be_a_run_to_resume(tmp_path: Path) -> None:
    """Resuming a folder without a run names it, and makes nothing."""
    with pytest.raises(RunError, match=f"{tmp_path / 'run'} holds no run to resume"):
        resume_run(recipe(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_start_that_failed_can_be_repeated(data: Path, tmp_path: Path) -> None:
    """A vocabulary that cannot be made leaves no run behind, so the mended recipe starts in the same folder."""
    with pytest.raises(VocabularyError):
        start_run(recipe(data={"vocabulary_size": 5000}), data, tmp_path / "run")
    with pytest.raises(DataError):
        start_run(recipe(data={"train": ["none.tsv"]}), data, tmp_path / "run")
    start_run(recipe(), data, tmp_path / "run")


def test_a_kill_at_the_start_leaves_no_half_run(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while the recipe is written, the folder is no run yet, and the same command starts it."""

    def killed(self: Path, text: str, **_: Any) -> int:
        self.write_bytes(text.encode()[: len(text) // 2])
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", killed)
        with pytest.raises(_Killed):
            start_run(recipe(), data, tmp_path / "run")
    start_run(recipe(), data, tmp_path / "run")
    assert checkpoint.read_run(tmp_path / "run")[0] == recipe()
