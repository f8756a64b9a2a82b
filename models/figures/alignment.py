"""Where a run's model looks while it translates, as Bahdanau et al. (2015, Fig. 3) show it.

`seq2serve align` draws the same of what a server translates.
"""

from pathlib import Path

import torch
from matplotlib.axes import Axes
from torch import Tensor

from models.checkpoint import RunError, load_best
from models.data import pad_sources
from models.figures.canvas import heat_map, write
from models.greedy import default_max_length, greedy
from models.seq2seq import Seq2Seq
from models.tokenizer import BOS_ID


@torch.no_grad()
def weights_of(model: Seq2Seq, source: list[int], target: list[int]) -> Tensor:
    """Return the weights (T, S) with which a model says a target.

    Raises:
        RunError: the model has no attention.
    """
    memory, state = model.encode(*pad_sources([source], model.config.source_end))
    rows = []
    for previous in [BOS_ID, *target[:-1]]:
        _, state, weights = model.step(torch.tensor([[previous]]), state, memory)
        if weights is None:
            raise RunError(f"a model with context = {model.config.context!r} has no attention to draw")
        rows.append(weights[0, 0, : len(source)])
    return torch.stack(rows)


def draw(path: Path, run: Path, sentences: list[str]) -> None:
    """Translate sentences greedily; write a heat map of each, side by side, and print the translations."""
    _, tokenizer, model, _ = load_best(run, torch.device("cpu"))
    sources = tokenizer.encode(sentences)
    targets = greedy(model, sources, [default_max_length(len(source)) for source in sources])
    maps = [weights_of(model, source, target) for source, target in zip(sources, targets, strict=True)]
    print("\n".join(tokenizer.decode(targets)))

    def fill(axes: list[Axes]) -> None:
        for one, weights, source, target in zip(axes, maps, sources, targets, strict=True):
            heat_map(one, weights.numpy(), tokenizer.pieces(source), tokenizer.pieces(target))

    write(path, len(sentences), fill, height=5.0)
