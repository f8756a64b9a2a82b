"""Tiny models, texts, recipes and runs for the tests of models/."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from models import __main__ as command
from models.config import DataConfig, ModelConfig, Recipe, TrainingConfig
from models.seq2seq import Seq2Seq
from models.tokenizer import PAD_ID, Tokenizer

ROOT = Path(__file__).parents[3]
VOCABULARY = 11
PIECES = 46  # one more is too many for the invented language below

Pairs = list[tuple[str, str]]

# An invented language: each word has one translation, and word order stays.
LEXICON = {
    "mira": "tolun", "bako": "kesim", "sule": "vardo", "neto": "pilga", "ruvi": "honsa", "dapo": "jemur",
    "lige": "wostan", "fenu": "brika", "koma": "zedil", "toso": "gaprun",
}  # fmt: skip


def lexicon_pairs(count: int = 60, seed: int = 1, longest: int = 5) -> Pairs:
    """Make different sentences of 2 to `longest` words, each with its word-by-word translation."""
    rng = random.Random(seed)
    sources: dict[str, None] = {}
    while len(sources) < count:
        sources[" ".join(rng.choices(list(LEXICON), k=rng.randint(2, longest)))] = None
    return [(source, " ".join(LEXICON[word] for word in source.split())) for source in sources]


def write_tsv(path: Path, pairs: Sequence[tuple[str, str]]) -> Path:
    """Write pairs as source<TAB>target lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    return path


def model_config(**changes: Any) -> ModelConfig:
    """Describe a model of a few hundred weights; all sizes differ, and nothing is dropped."""
    sizes = {
        "embedding_size": 6,
        "encoder_hidden_size": 5,
        "decoder_hidden_size": 7,
        "attention_size": 4,
        "embedding_dropout": 0.0,
        "memory_dropout": 0.0,
        "readout_dropout": 0.0,
    }
    return ModelConfig.model_validate({**sizes, **changes})


def build(config: ModelConfig | None = None, vocabulary: int = VOCABULARY, seed: int = 0) -> Seq2Seq:
    """Build a model for inference whose weights, biases too, are random and large enough to matter."""
    torch.manual_seed(seed)
    model = Seq2Seq(config or model_config(), vocabulary, PAD_ID)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model.eval()


def data_config(**changes: Any) -> DataConfig:
    """Name train.tsv and valid.tsv, from English to German."""
    values = {
        "source_language": "en",
        "target_language": "de",
        "train": ["train.tsv"],
        "valid": ["valid.tsv"],
        "vocabulary_size": PIECES,
        "golden": ["mira bako."],
    }
    return DataConfig.model_validate({**values, **changes})


def training_config(**changes: Any) -> TrainingConfig:
    """Train for a few updates of small batches."""
    values = {
        "max_updates": 12,
        "batch_tokens": 120,
        "learning_rate": 0.01,
        "warmup_updates": 4,
        "validate_every": 4,
        "valid_sentences": 8,
        "average": 2,
    }
    return TrainingConfig.model_validate({**values, **changes})


def recipe(
    model: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> Recipe:
    """Join the three parts above, with changes, to a recipe."""
    return Recipe(
        model=model_config(**(model or {})),
        data=data_config(**(data or {})),
        training=training_config(**(training or {})),
    )


def write_recipe(path: Path, content: Recipe) -> Path:
    """Write a recipe as TOML; its values are all such that their JSON is TOML."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    for section, values in content.model_dump(mode="json").items():
        lines.append(f"[{section}]")
        for name, value in values.items():
            if isinstance(value, list) and value and isinstance(value[0], dict):
                value = [entry["path"] for entry in value]
            lines.append(f"{name} = {json.dumps(value)}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


class CharacterTokenizer(Tokenizer):
    """Stand in for a vocabulary: one id, from 4 up, for every character."""

    def __init__(self) -> None:
        """Load nothing."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Turn every character into an id."""
        return [[ord(character) - 93 for character in text] for text in texts]  # "a" is 4


def random_rows(lengths: Sequence[int], vocabulary: int = VOCABULARY, seed: int = 0) -> list[list[int]]:
    """Make rows of ordinary ids (no special ones) of the given lengths."""
    rng = random.Random(seed)
    return [[rng.randrange(4, vocabulary) for _ in range(length)] for length in lengths]


def start_models(*arguments: str | Path) -> "subprocess.Popen[str]":
    """Start `python -m models` on one thread, the way a user would."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "models", *map(str, arguments), "--device", "cpu", "--threads", "1"]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """Run the command in this process, which saves the seconds that torch takes to load; returns its status."""
    monkeypatch.setattr("sys.argv", ["python -m models", *map(str, arguments), "--device", "cpu", "--threads", "1"])
    return command.main()


def run_models(*arguments: str | Path, timeout: float = 280) -> "subprocess.CompletedProcess[str]":
    """Run `python -m models` to its end."""
    process = start_models(*arguments)
    try:
        output, errors = process.communicate(timeout=timeout)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)
