"""How a run begins: with fresh weights and a vocabulary of its own, or with those of a model that is there."""

import logging
import shutil
from pathlib import Path

import torch

from models import checkpoint
from models.checkpoint import RunError
from models.config import Recipe
from models.data import read_pairs
from models.seq2seq import Seq2Seq
from models.tokenizer import Tokenizer, train_tokenizer

log = logging.getLogger("models.start")


def start_run(recipe: Recipe, data: Path, run: Path, origin: Path | None = None) -> Tokenizer:
    """Create a run's folder with recipe and vocabulary; with an `origin`, also with its weights, to resume from.

    The origin is a run whose best model has the recipe's architecture; what is dropped out may differ.

    Raises:
        RunError: the folder holds a run, or what is left of one, or the origin has no finished model, or another one
            than the recipe says.
        DataError: a text of the recipe is missing or malformed.
        VocabularyError: the text cannot fill the vocabulary.
    """
    if (run / "recipe.json").exists():
        raise RunError(f"{run} already holds a run: go on with --resume, or choose another folder")
    if any(int(folder.name) for folder in checkpoint.checkpoints(run)):
        raise RunError(f"{run} has checkpoints, of a run whose recipe.json is gone: choose another folder")
    pairs = read_pairs(data, recipe.data.train, recipe.data)
    read_pairs(data, recipe.data.valid, recipe.data)  # bad text is refused before there is a run
    if origin:
        theirs, tokenizer, model = _read_origin(origin, recipe)
        run.mkdir(parents=True, exist_ok=True)
        log.info("starting with the weights and the vocabulary of %s", origin)
        shutil.copyfile(tokenizer.path, run / "vocabulary.model")
        checkpoint.write_start(run, model, checkpoint.read_data(origin, theirs))
    else:
        run.mkdir(parents=True, exist_ok=True)
        checkpoint.delete_start(run)  # of a start with an origin that was broken off
        log.info("learning a vocabulary of %d pieces from %d pairs", recipe.data.vocabulary_size, len(pairs))
        sentences = (side for pair in pairs for side in pair)
        tokenizer = train_tokenizer(sentences, recipe.data.vocabulary_size, run / "vocabulary.model")
    checkpoint.write_recipe(run, recipe)  # last and at once: with this file the folder is a run
    return tokenizer


def resume_run(recipe: Recipe, run: Path) -> Tokenizer:
    """Check that a folder holds the run to resume; returns its vocabulary.

    Raises:
        RunError: it holds none, or another recipe's, or one of which only the best model is there.
    """
    if not (run / "recipe.json").exists():
        raise RunError(f"{run} holds no run to resume")
    stored, tokenizer = checkpoint.read_run(run)
    if stored != recipe:
        raise RunError(f"the recipe differs from the one that {run} was started with ({run / 'recipe.json'})")
    if (run / "best").exists() and not checkpoint.checkpoints(run):
        raise RunError(f"{run} has its best model alone, and nothing to go on from: begin another run, --origin {run}")
    return tokenizer


def _read_origin(origin: Path, recipe: Recipe) -> tuple[Recipe, Tokenizer, Seq2Seq]:
    """Read a run's best model, which is to be the recipe's but for what learning it draws at random."""
    theirs, tokenizer, model, _ = checkpoint.load_best(origin, torch.device("cpu"))
    if recipe.data.vocabulary_size != len(tokenizer):
        raise RunError(
            f"data.vocabulary_size is {recipe.data.vocabulary_size}, but {origin} has a vocabulary of "
            f"{len(tokenizer)} pieces, which this run takes over: write vocabulary_size = {len(tokenizer)}"
        )
    there, here = (
        {name: value for name, value in config if not name.endswith("_dropout")}
        for config in (theirs.model, recipe.model)
    )
    other = [f"{name} is {there[name]!r}, not {here[name]!r}" for name in here if there[name] != here[name]]
    if other:
        raise RunError(f"the model of {origin} is not the recipe's ([model]): {'; '.join(other)}")
    return theirs, tokenizer, model
