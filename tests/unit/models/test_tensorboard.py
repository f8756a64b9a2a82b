"""What a run's TensorBoard files hold, of a run that was interrupted, too."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing import event_accumulator  # type: ignore[import-untyped]
from torch import Tensor

from models.start import resume_run, start_run
from models.training import Trainer
from tests.unit.models.factories import lexicon_pairs, recipe, write_tsv

pytestmark = pytest.mark.torch


def _trainer(folder: Path, resume: bool = False) -> Trainer:
    """Start a run of 12 updates, which validates at each fourth, or go on with it."""
    write_tsv(folder / "train.tsv", lexicon_pairs(60))
    write_tsv(folder / "valid.tsv", lexicon_pairs(20))
    run = folder / "run"
    tokenizer = resume_run(recipe(), run) if resume else start_run(recipe(), folder, run)
    return Trainer(recipe(), tokenizer, folder, run, torch.device("cpu"))


def _events(folder: Path) -> event_accumulator.EventAccumulator:
    return event_accumulator.EventAccumulator(str(folder / "run" / "tensorboard")).Reload()


def test_tensorboard_gets_loss_scores_and_rate(tmp_path: Path) -> None:
    """Loss, BLEU, chrF and learning rate of every validation."""
    trainer = _trainer(tmp_path)
    trainer.train()
    events = _events(tmp_path)
    assert set(events.Tags()["scalars"]) == {"train/loss", "train/learning_rate", "valid/bleu", "valid/chrf"}
    losses = events.Scalars("train/loss")
    assert [event.step for event in losses] == [4, 8, 12]
    assert [event.value for event in losses] == pytest.approx(trainer.progress.losses)


class _Killed(BaseException):
    """Stand for a SIGKILL between two updates."""


def test_a_resumed_run_keeps_every_validation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the one at the checkpoint that it goes on from, and each once."""
    update = Trainer.update

    def dying(self: Trainer, *arguments: Any) -> Tensor:
        if self.progress.update == 9:
            raise _Killed
        return update(self, *arguments)

    trainer = _trainer(tmp_path)
    monkeypatch.setattr(Trainer, "update", dying)
    with pytest.raises(_Killed):
        trainer.train()
    monkeypatch.setattr(Trainer, "update", update)
    resumed = _trainer(tmp_path, resume=True)
    resumed.resume()
    resumed.train()
    assert [event.step for event in _events(tmp_path).Scalars("train/loss")] == [4, 8, 12]
