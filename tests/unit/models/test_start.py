"""How runs begin and go on: which folders are taken, and what a run takes over from an origin."""

from pathlib import Path
from typing import Any

import pytest
import torch
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


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Write training and validation text."""
    root = tmp_path / "data"
    write_tsv(root / "train.tsv", PAIRS)
    write_tsv(root / "valid.tsv", PAIRS[:20])
    return root


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a run that others begin with."""
    folder = tmp_path_factory.mktemp("origin")
    write_tsv(folder / "train.tsv", PAIRS)
    write_tsv(folder / "valid.tsv", PAIRS[:20])
    Trainer(recipe(), start_run(recipe(), folder, folder / "run"), folder, folder / "run", CPU).train()
    return folder / "run"


def _trainer(content: Recipe, data: Path, run: Path, origin: Path | None = None) -> Trainer:
    return Trainer(content, start_run(content, data, run, origin), data, run, CPU)


def _weights(trainer: Trainer) -> dict[str, list[float]]:
    return {name: parameter.flatten().tolist() for name, parameter in trainer.model.named_parameters()}


def test_a_run_begins_with_the_weights_and_vocabulary_of_its_origin(data: Path, tmp_path: Path, origin: Path) -> None:
    """They are those of the origin's best model, whatever text the run has; what is dropped out may differ."""
    write_tsv(data / "train.tsv", lexicon_pairs(40, seed=5))
    trainer = _trainer(TUNED, data, tmp_path / "run", origin)
    best = load_file(origin / "best" / "model.safetensors")
    assert _weights(trainer) == {name: tensor.flatten().tolist() for name, tensor in best.items()}
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


def test_a_broken_run_begins_again_with_its_origin(data: Path, tmp_path: Path, origin: Path) -> None:
    """Broken off before its first checkpoint it starts with the origin's weights again."""
    first = _weights(_trainer(TUNED, data, tmp_path / "run", origin))
    again = Trainer(TUNED, resume_run(TUNED, tmp_path / "run"), data, tmp_path / "run", CPU)
    again.resume()
    assert _weights(again) == first


def test_an_origin_of_a_start_that_was_broken_off_is_forgotten(
    data: Path, tmp_path: Path, origin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who starts without an origin has fresh weights, in whatever folder."""

    def killed(*_: Any) -> None:
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_recipe", killed)
        with pytest.raises(_Killed):
            start_run(TUNED, data, tmp_path / "run", origin)
    broken, fresh = (_weights(_trainer(TUNED, data, tmp_path / name)) for name in ("run", "fresh"))
    assert broken == fresh


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
