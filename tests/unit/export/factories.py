"""Training runs that were never trained: a recipe, a vocabulary and random weights, ready to be exported."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from models.checkpoint import Progress, build_model, write_checkpoint
from models.seq2seq import Seq2Seq
from models.tokenizer import EOS_ID, train_tokenizer
from tests.unit.models.factories import lexicon_pairs, recipe

GOLDEN = tuple(source for source, _ in lexicon_pairs(300, seed=2, longest=3))
# Sizes unlike each other, some of them no multiple of what a vector register holds.
SIZES = {"embedding_size": 20, "encoder_hidden_size": 18, "decoder_hidden_size": 27, "attention_size": 12}


def make_run(folder: Path, model: Mapping[str, Any] | None = None, seed: int = 0) -> Path:
    """Write a run whose weights are random, and large enough for clear-cut choices."""
    pairs = lexicon_pairs()
    content = recipe({**SIZES, **(model or {})}, {"golden": GOLDEN, "licence": "ours", "train": ["own/train.tsv"]})
    folder.mkdir(parents=True)
    (folder / "recipe.json").write_text(content.model_dump_json(), encoding="utf-8")
    sides = [side for pair in pairs for side in pair]
    tokenizer = train_tokenizer(sides, content.data.vocabulary_size, folder / "vocabulary.model")
    torch.manual_seed(seed)
    built = build_model(content, tokenizer)
    _fill(built)
    write_checkpoint(folder / "best", built, Progress(update=100, bleu=12.3, chrf=34.5), None)
    return folder


def _fill(model: Seq2Seq) -> None:
    """Give a model random weights, biases too."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
        model.output.bias.mul_(4)
        model.output.bias[EOS_ID] += 1
