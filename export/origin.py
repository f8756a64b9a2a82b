"""What an export starts from: a training run, or a bundle whose run is gone."""

from dataclasses import dataclass
from pathlib import Path

import torch

from export.restore import restore
from models.checkpoint import load_best, read_data
from models.config import DataConfig
from models.seq2seq import Seq2Seq
from models.tokenizer import Tokenizer
from service.bundle import read_bundle
from service.manifest import MANIFEST
from service.parts import Score


@dataclass(frozen=True)
class Origin:
    """Hold a model and what a manifest tells of it."""

    tokenizer: Tokenizer
    model: Seq2Seq
    data: DataConfig
    scores: tuple[Score, ...]  # that were measured earlier
    other_golden: str  # what to do where too few of data.golden are clear-cut


def read_origin(folder: Path) -> Origin:
    """Read a run or a bundle; a bundle is told by its manifest.

    Raises:
        RunError: the folder is neither, or the run has no finished model yet.
        BundleError, RestoreError: the bundle is not whole, or no export of ours.
    """
    return read_bundle_origin(folder) if (folder / MANIFEST).exists() else _of_run(folder)


def _of_run(run: Path) -> Origin:
    """Take the scores that training measured, if it did, of weights that were not yet rounded."""
    recipe, tokenizer, model, progress = load_best(run, torch.device("cpu"))
    files = ", ".join(file.path for file in recipe.data.valid)
    dataset = f"{files} (in training)"
    scores = (
        Score(metric="BLEU", value=round(progress.bleu, 2), dataset=dataset),
        Score(metric="chrF", value=round(progress.chrf, 2), dataset=dataset),
    )
    measured = scores if progress.update else ()  # not of a bundle that was restored
    other = "give the recipe (data.golden) others, or train on"
    return Origin(tokenizer, model, read_data(run, recipe), measured, other)


def read_bundle_origin(folder: Path) -> Origin:
    """Read a bundle.

    Raises:
        BundleError, RestoreError: it is not whole, or no export of ours.
    """
    tokenizer, model = restore(folder)
    manifest = read_bundle(folder).manifest
    data = DataConfig.model_validate(
        {
            "source_language": manifest.source_language,
            "target_language": manifest.target_language,
            "train": manifest.training_data,
            "valid": manifest.training_data,  # a recipe needs some
            "licence": manifest.licence,
            "golden": [golden.source for golden in manifest.golden],
        }
    )
    other = "they are this bundle's own: export it in fewer precisions, or its run with others"
    return Origin(tokenizer, model, data, manifest.scores, other)
