"""Small models of every cell and context, exported to be served; their weights are random, and large."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from export.exporter import Options, export
from export.restore import restore
from models.cells import CELLS
from models.checkpoint import load_best
from models.greedy import default_max_length, greedy
from seq2serve import Client, UnsupportedOption
from tests.unit.export.factories import make_run
from tests.unit.models.factories import lexicon_pairs

SOURCES = [source for source, _ in lexicon_pairs(12, seed=5, longest=9)]
# What a context needs beside its name. Among them is each choice that only some contexts have.
CONTEXTS: dict[str, dict[str, Any]] = {
    "fixed-initial": {
        "bidirectional": False, "reverse_source": True, "bridge": "copy", "encoder_layers": 2, "decoder_layers": 2,
        "decoder_hidden_size": 18,
    },
    "fixed-every-step": {},
    "additive": {},
    "dot": {"decoder_hidden_size": 36, "decoder_layers": 2},
    "general": {"input_feeding": True, "layer_norm": True},
    "concat": {
        "input_feeding": True, "readout_word": False, "tie_embeddings": False, "tie_output": False, "readout_size": 14,
        "bridge": "mean",
    },
    "multi-head": {"heads": 3, "attends": "between"},
}  # fmt: skip
MEMBERS = {f"{cell}-{context}": (cell, context) for cell, context in product(CELLS, CONTEXTS)}


def export_member(folder: Path, name: str, precisions: tuple[str, ...], repository: Path) -> Path:
    """Export a member into a model repository, which proves parity with PyTorch; returns the bundle's folder."""
    cell, context = MEMBERS[name]
    for seed in range(9):  # not every random model has clear-cut translations
        run = make_run(folder / f"{name}-{seed}", {"cell": cell, "context": context, **CONTEXTS[context]}, seed)
        weights = run / "best" / "model.safetensors"
        save_file({key: tensor * 1.5 for key, tensor in load_file(weights).items()}, weights)
        if len(_translations(run)) > 2:
            break
    return export(Options(run, repository / name, candidates=7, precisions=precisions))


def _translations(run: Path) -> set[tuple[int, ...]]:
    _, tokenizer, model, _ = load_best(run, torch.device("cpu"))
    sources = tokenizer.encode(SOURCES)
    return {tuple(row) for row in greedy(model, sources, [default_max_length(len(row)) for row in sources])}


def check_served(client: Client, bundle: Path) -> None:
    """Compare what a server makes of sentences with PyTorch, and ask for what only attention gives.

    Raises:
        AssertionError: a translation differs, or there is no alignment of a model with attention.
    """
    name = bundle.parent.name
    tokenizer, model = restore(bundle)
    sources = tokenizer.encode(SOURCES)
    expected = tokenizer.decode(greedy(model, sources, [default_max_length(len(row)) for row in sources]))
    found = [client.translate(source, model=name).text for source in SOURCES]
    assert found == expected, f"{name}: {found} is served, PyTorch gives {expected}"
    beams = [client.translate(source, model=name, beam_size=3, num_hypotheses=3) for source in SOURCES]
    assert all(len(result.hypotheses) == 3 for result in beams), name
    if model.config.has_attention:
        said = next(source for source, text in zip(SOURCES, found, strict=True) if text)
        aligned = client.translate(said, model=name, alignment="soft_sparse")
        assert aligned.hypotheses[0].alignment, name
        return
    with pytest.raises(UnsupportedOption, match="has no attention"):
        client.translate(SOURCES[0], model=name, alignment="soft_sparse")
