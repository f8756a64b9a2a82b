"""Training text whose targets are what trained models say, for students to learn (Kim & Rush 2016, 3.2)."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from models import checkpoint
from models.beam import search
from models.checkpoint import RunError
from models.config import Recipe
from models.data import read_pairs
from models.ensemble import Ensemble
from models.evaluation import score
from models.greedy import in_batches
from models.seq2seq import Seq2Seq
from models.tokenizer import Tokenizer

log = logging.getLogger("models.distillation")


def distill(runs: Sequence[Path], data: Path, out: Path, width: int, device: torch.device) -> None:
    """Translate the runs' training sources by their best models together, to OUT.<language>.txt of both languages.

    A recipe that names OUT below its data root trains on it. The validation text is translated first, and scored in
    the log. Each source is translated once; those of which nothing comes are left out.

    Raises:
        RunError: a run has no finished model, or another vocabulary, language or training text than the first; or
            nothing came of any source.
    """
    recipe, tokenizer, models = _load(runs, device)
    ensemble = Ensemble(models)

    def translate(texts: Sequence[str]) -> list[str]:
        rows = tokenizer.encode(texts)
        found = in_batches(rows, lambda some, limits: search(ensemble, some, limits, width))
        return tokenizer.decode(found)

    valid = read_pairs(data, recipe.data.valid, recipe.data)
    scores = score(translate([source for source, _ in valid]), [target for _, target in valid])
    log.info("%d models, beam %d: valid BLEU %.2f, chrF %.2f", len(models), width, scores.bleu, scores.chrf)
    sources = list(dict.fromkeys(source for source, _ in read_pairs(data, recipe.data.train, recipe.data)))
    pairs = [pair for pair in zip(sources, translate(sources), strict=True) if pair[1].strip()]
    if not pairs:
        raise RunError(f"the models say nothing of any of {len(sources)} sources: train them longer")
    log.info("%d sources translated, %d left out as nothing came of them", len(pairs), len(sources) - len(pairs))
    languages = recipe.data.source_language, recipe.data.target_language
    _write([out.with_name(f"{out.name}.{language}") for language in languages], pairs)


def _write(names: Sequence[Path], pairs: Sequence[tuple[str, str]]) -> None:
    """Write both sides, or at most one: a new one beside an old one would be read as pairs."""
    unfinished = [name.with_name(f"{name.name}.part") for name in names]
    names[0].parent.mkdir(parents=True, exist_ok=True)
    try:
        for path, side in zip(unfinished, zip(*pairs, strict=True), strict=True):
            path.write_text("".join(f"{text}\n" for text in side), encoding="utf-8")
        finished = [name.with_name(f"{name.name}.txt") for name in names]
        for path in finished:
            path.unlink(missing_ok=True)
        for path, whole in zip(unfinished, finished, strict=True):
            path.replace(whole)
    finally:
        for path in unfinished:
            path.unlink(missing_ok=True)


def _load(runs: Sequence[Path], device: torch.device) -> tuple[Recipe, Tokenizer, list[Seq2Seq]]:
    """Load the best models of runs that fit together."""
    first, tokenizer, model, _ = checkpoint.load_best(runs[0], device)
    models = [model]
    for run in runs[1:]:
        recipe, other, model, _ = checkpoint.load_best(run, device)
        if other.path.read_bytes() != tokenizer.path.read_bytes():
            raise RunError(f"{run} has another vocabulary than {runs[0]}: only models of one can vote")
        for name in ("source_language", "target_language", "train"):
            one, same = getattr(recipe.data, name), getattr(first.data, name)
            if one != same:
                raise RunError(f"{run} has {name} = {one}, and {runs[0]} {same}: teachers have learned the same text")
        if recipe.model.source_end != first.model.source_end:
            raise RunError(f"{run} and {runs[0]} differ in source_end, so they cannot read the same rows")
        models.append(model)
    return first, tokenizer, models
