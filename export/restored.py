"""python -m export restore BUNDLE RUN: the model of a bundle as a training run, for another run to begin with."""

import argparse
import shutil
import tempfile
from pathlib import Path

from export.errors import TargetError
from export.origin import Origin, read_bundle_origin
from export.restore import RestoreError
from models import checkpoint
from models.checkpoint import Progress, RunError
from models.config import Recipe, TrainingConfig
from service.manifest import MANIFEST


def run(arguments: list[str]) -> Path:
    """Restore what the arguments name; returns the folder of the run."""
    parser = argparse.ArgumentParser(
        prog="python -m export restore",
        description="Write the model of a bundle as a training run, for `python -m models train --origin`.",
    )
    parser.add_argument("bundle", type=Path, help="MODEL_REPOSITORY/NAME/VERSION, with fp32 weights")
    parser.add_argument("run", type=Path, help="folder that is not there yet")
    given = parser.parse_args(arguments)
    restore_run(given.bundle, given.run)
    return Path(given.run)


def restore_run(bundle: Path, run: Path) -> None:
    """Write a run with the recipe's model and data, the vocabulary and the weights of a bundle.

    How it was trained no bundle says, so that part of its recipe has defaults, and nothing in it can be resumed.

    Raises:
        TargetError: there is something at `run` already, or nothing can be written there.
        BundleError, RestoreError: the bundle is not whole, is none, or no export of ours with fp32 weights.
    """
    if run.exists():
        raise TargetError(f"{run} exists: choose another folder for the run")
    if not (bundle / MANIFEST).exists():
        raise RestoreError(f"{bundle} is no bundle: name the folder of a version, with its {MANIFEST}")
    origin = read_bundle_origin(bundle)
    try:
        run.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{run.name}-", suffix=".part", dir=run.parent) as folder:
            unfinished = Path(folder) / run.name
            unfinished.mkdir()
            shutil.copyfile(origin.tokenizer.path, unfinished / "vocabulary.model")
            checkpoint.write_checkpoint(unfinished / "best", origin.model, Progress(), None)
            checkpoint.write_recipe(unfinished, _recipe(origin))
            unfinished.rename(run)
    except (OSError, RunError) as error:
        raise TargetError(f"cannot write to {run}: {error}") from error


def _recipe(origin: Origin) -> Recipe:
    data = origin.data.model_copy(update={"vocabulary_size": len(origin.tokenizer)})
    return Recipe(model=origin.model.config, data=data, training=TrainingConfig.model_validate({}))
