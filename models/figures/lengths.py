"""Quality by the length of the source, as Bahdanau et al. (2015, Fig. 2) show it."""

from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.axes import Axes

from models.checkpoint import load_best
from models.config import TextFile
from models.data import read_pairs
from models.evaluation import evaluate
from models.figures.canvas import write

Pairs = list[tuple[str, str]]


def buckets(pairs: Pairs, edges: Sequence[int]) -> dict[int, Pairs]:
    """Sort pairs by the words of their source: into the first edge that these do not exceed; longer ones are left."""
    found: dict[int, Pairs] = {}
    for source, target in pairs:
        edge = next((edge for edge in edges if len(source.split()) <= edge), None)
        if edge is not None:
            found.setdefault(edge, []).append((source, target))
    return dict(sorted(found.items()))


def draw(path: Path, runs: list[Path], file: TextFile, edges: Sequence[int], device: torch.device) -> None:
    """Translate a text with every run's best model; write the picture of BLEU by length and print the scores."""
    found: list[tuple[str, dict[int, float]]] = []
    folders = [run.name for run in runs]
    for run in runs:
        recipe, tokenizer, model, _ = load_best(run, device)
        sorted_pairs = buckets(read_pairs(Path("/"), [file], recipe.data), edges)
        shortest = run.name if folders.count(run.name) == 1 else run  # that tells it from the others
        name = f"{shortest} ({recipe.model.cell}, {recipe.model.context})"
        scores = {edge: evaluate(model, tokenizer, pairs).bleu for edge, pairs in sorted_pairs.items()}
        found.append((name, scores))
        counts = {edge: len(pairs) for edge, pairs in sorted_pairs.items()}
        shown = "  ".join(f"≤{edge}: {bleu:.1f} (n={counts[edge]})" for edge, bleu in scores.items())
        print(f"{name}  {shown}", flush=True)

    def fill(axes: list[Axes]) -> None:
        for name, scores in found:
            axes[0].plot(list(scores), list(scores.values()), marker="o", label=name)
        axes[0].set(xlabel="words of the source, at most", ylabel="BLEU, greedy")
        axes[0].set_ylim(bottom=0)
        axes[0].legend()

    write(path, 1, fill, width=7)
