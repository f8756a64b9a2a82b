"""Runs on disk: safetensors and JSON, never pickle; a checkpoint is there whole or not at all.

RUN/recipe.json, RUN/vocabulary.model     what the run was started with
RUN/origin.json                           the texts behind the model that it began with, where that was not a fresh one
RUN/checkpoints/0000000/                  that model, until there is another checkpoint
RUN/checkpoints/0000500/                  model.safetensors, progress.json, optimizer.safetensors (the newest only)
RUN/best/                                 the model to evaluate and export
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.config import DataConfig, Recipe
from models.seq2seq import Seq2Seq
from models.tokenizer import PAD_ID, Tokenizer, VocabularyError

_START = Path("checkpoints/0000000")


class RunError(Exception):
    """Say what is missing from a run, or what is already there."""


@dataclass
class Progress:
    """Record how far a run is; with the tensors beside it, all that a resumed run needs."""

    update: int = 0
    epoch: int = 0
    batch: int = 0  # batches of this epoch already seen
    bleu: float = 0.0  # of the last validation
    chrf: float = 0.0
    best_bleu: float = -1.0
    stale: int = 0  # validations since best_bleu
    rate_factor: float = 1.0  # of the plateau schedule
    target_tokens: int = 0
    losses: list[float] = field(default_factory=list)  # per token (nats), one mean a validation


def write_checkpoint(folder: Path, model: nn.Module, progress: Progress, extra: Mapping[str, Tensor] | None) -> None:
    """Write a checkpoint beside its final place and rename it; `extra` holds optimizer and random state.

    Raises:
        RunError: it cannot be written.
    """
    unfinished = folder.with_name(folder.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        save_file(_parameters(model), unfinished / "model.safetensors")
        if extra is not None:
            save_file(dict(extra), unfinished / "optimizer.safetensors")
        (unfinished / "progress.json").write_text(json.dumps(asdict(progress), indent=1))
    except (OSError, SafetensorError) as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise RunError(f"cannot write {folder}: {error}") from error
    replaced = folder.with_name(folder.name + ".old")
    shutil.rmtree(replaced, ignore_errors=True)
    if folder.exists():
        folder.rename(replaced)
    unfinished.rename(folder)
    shutil.rmtree(replaced, ignore_errors=True)


def read_checkpoint(folder: Path, model: nn.Module) -> Progress:
    """Fill the model from a checkpoint.

    Raises:
        RunError: a file is missing or damaged, or the tensors are not this model's.
    """
    progress = _read_progress(folder)
    fill(model, _read_weights(folder))
    return progress


def _read_progress(folder: Path) -> Progress:
    try:
        progress = Progress(**json.loads((folder / "progress.json").read_text()))
        progress.bleu = float(progress.bleu)
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{folder} is no checkpoint: {error}") from error
    return progress


def _read_weights(folder: Path) -> dict[str, Tensor]:
    try:
        return load_file(folder / "model.safetensors")
    except (OSError, SafetensorError) as error:
        raise RunError(f"{folder} is no checkpoint: {error}") from error


def read_extra(folder: Path) -> dict[str, Tensor]:
    """Read the optimizer and random state of a checkpoint."""
    try:
        return load_file(folder / "optimizer.safetensors")
    except (OSError, SafetensorError) as error:
        raise RunError(f"{folder} cannot be resumed: {error}") from error


def fill(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors into the parameters of the same names.

    Raises:
        RunError: the names or shapes are not the model's.
    """
    expected = dict(model.named_parameters())  # a tied matrix appears once
    wrong = {name for name in expected.keys() ^ tensors.keys()}
    wrong |= {name for name in expected.keys() & tensors.keys() if expected[name].shape != tensors[name].shape}
    if wrong:
        raise RunError(f"the weights do not fit the recipe's model: {', '.join(sorted(wrong))}")
    with torch.no_grad():
        for name, parameter in expected.items():
            parameter.copy_(tensors[name])


def _parameters(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().cpu().contiguous() for name, parameter in model.named_parameters()}


def checkpoints(run: Path) -> list[Path]:
    """List the finished checkpoints of a run, oldest first."""
    return sorted(p for p in (run / "checkpoints").glob("*") if p.name.isdigit())


def prune(run: Path, keep: int) -> None:
    """Delete all but the newest checkpoint and the `keep` best; only the newest keeps its optimizer."""
    *older, _ = checkpoints(run)
    kept = best_checkpoints(run, keep)
    for folder in older:
        if folder in kept:
            (folder / "optimizer.safetensors").unlink(missing_ok=True)
        else:
            folder.rename(folder.with_name(folder.name + ".old"))  # killed while deleting, no half of it is listed
    for folder in (run / "checkpoints").glob("*.old"):
        shutil.rmtree(folder)


def best_checkpoints(run: Path, count: int) -> list[Path]:
    """List the checkpoints with the highest validation BLEU, best first; of equals, the newer one."""
    trained = [folder for folder in checkpoints(run) if int(folder.name)]
    ranked = sorted(trained, key=lambda folder: (_read_progress(folder).bleu, folder.name), reverse=True)
    return ranked[:count]


def average(folders: Sequence[Path]) -> dict[str, Tensor]:
    """Average the weights of several checkpoints of one run."""
    if not folders:
        raise RunError("there is no checkpoint to average")
    models = [_read_weights(folder) for folder in folders]
    return {name: torch.stack([tensors[name].float() for tensors in models]).mean(0) for name in models[0]}


def read_run(run: Path) -> tuple[Recipe, Tokenizer]:
    """Read the recipe and the vocabulary that a run was started with.

    Raises:
        RunError: the folder is not a run.
    """
    try:
        recipe = Recipe.model_validate_json((run / "recipe.json").read_text(encoding="utf-8"))
        return recipe, Tokenizer(run / "vocabulary.model")
    except (OSError, ValueError, VocabularyError) as error:
        raise RunError(f"{run} is not a training run: {error}") from error


def write_recipe(run: Path, recipe: Recipe) -> None:
    """Make a folder a run, all at once."""
    unfinished = run / "recipe.part"
    unfinished.write_text(recipe.model_dump_json(indent=1), encoding="utf-8")
    unfinished.replace(run / "recipe.json")


def write_start(run: Path, model: nn.Module, data: DataConfig) -> None:
    """Let a run begin with a model that was learned from `data`."""
    write_checkpoint(run / _START, model, Progress(), None)
    (run / "origin.json").write_text(data.model_dump_json(indent=1), encoding="utf-8")


def delete_start(run: Path) -> None:
    """Let a run begin with fresh weights."""
    (run / "origin.json").unlink(missing_ok=True)
    for folder in (run / _START).parent.glob(f"{_START.name}*"):
        shutil.rmtree(folder)


def read_data(run: Path, recipe: Recipe) -> DataConfig:
    """Return what a run's model is learned from: its recipe's data, behind the texts and licences of its origins.

    Raises:
        RunError: origin.json is damaged.
    """
    path = run / "origin.json"
    if not path.exists():
        return recipe.data
    try:
        origin = DataConfig.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} does not say what {run} began with: {error}") from error
    train = {file.path: file for file in (*origin.train, *recipe.data.train)}
    licences = dict.fromkeys([*origin.licence.split("; "), *recipe.data.licence.split("; ")])
    licence = "; ".join(filter(None, licences))
    return recipe.data.model_copy(update={"train": tuple(train.values()), "licence": licence})


def build_model(recipe: Recipe, tokenizer: Tokenizer) -> Seq2Seq:
    """Build the recipe's model with fresh weights."""
    return Seq2Seq(recipe.model, len(tokenizer), PAD_ID)


def load_best(run: Path, device: torch.device) -> tuple[Recipe, Tokenizer, Seq2Seq, Progress]:
    """Load the model of a run that is to be evaluated or exported.

    Raises:
        RunError: the run has no finished model yet.
    """
    recipe, tokenizer = read_run(run)
    if not (run / "best").exists():
        command = f"python -m models average {run} --data DATA"
        raise RunError(f"{run} has no best model yet: let the training end, or run `{command}`")
    model = build_model(recipe, tokenizer)
    progress = read_checkpoint(run / "best", model)
    return recipe, tokenizer, model.to(device).eval(), progress
