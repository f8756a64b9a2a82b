"""Recipes: what is valid, and what an invalid one is told."""

import itertools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from models.config import ModelConfig, Recipe, RecipeError
from tests.unit.models.factories import ROOT, recipe, write_recipe

pytestmark = pytest.mark.torch

SHIPPED = sorted((ROOT / "models" / "recipes").glob("*.toml"))


def _error(path: Path) -> str:
    with pytest.raises(RecipeError) as caught:
        Recipe.read(path)
    return str(caught.value)


def _changed(tmp_path: Path, name: str, value: str) -> Path:
    """Write a valid recipe with one value replaced."""
    path = write_recipe(tmp_path / "recipe.toml", recipe())
    text, count = re.subn(rf"(?m)^{name} = .*$", lambda _: f"{name} = {value}", path.read_text(encoding="utf-8"))
    assert count == 1
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_is_valid(path: Path) -> None:
    """The recipes of this repository pass their own validation and name their texts and golden sentences."""
    content = Recipe.read(path)
    assert content.data.train
    assert content.data.valid
    assert content.data.golden
    assert content.training.warmup_updates < content.training.max_updates


def _rows_of_the_family() -> Iterator[str]:
    """Read the table of docs/training.md; each row is once for each of its alternatives, as TOML."""
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    table = re.findall(r"(?m)^\|.*", text.partition("## The family")[2].partition("\n## ")[0])
    for row in table[2:]:
        options = re.findall(r'`(\w+) = ([^`]+)`((?:,? (?:or )?`"[^`]+"`)*)', row)
        values = [[first, *re.findall("`([^`]+)`", others)] for _, first, others in options]
        for chosen in itertools.product(*values):
            yield "\n".join(f"{name} = {value}" for (name, _, _), value in zip(options, chosen, strict=True))


@pytest.mark.parametrize("row", list(_rows_of_the_family()))
def test_every_documented_member_of_the_family_is_a_model(row: str) -> None:
    """The rows are complete: over the defaults, what one says is a model, with what it says."""
    said = tomllib.loads(row)
    config = ModelConfig.model_validate(said).model_dump()
    assert said.items() <= config.items()


def test_the_family_has_a_row_for_every_context() -> None:
    """So that none is left untried above."""
    contexts = {tomllib.loads(row).get("context", "additive") for row in _rows_of_the_family()}
    assert contexts == set(get_args(ModelConfig.model_fields["context"].annotation))


def test_there_is_a_shipped_recipe() -> None:
    """The recipe that issue 2 names exists."""
    assert "tatoeba-en-de" in {path.stem for path in SHIPPED}


def test_a_recipe_is_read_as_written(tmp_path: Path) -> None:
    """Reading a written recipe gives the same recipe."""
    content = recipe({"cell": "lstm"}, {"concatenate": 0.25}, {"schedule": "plateau"})
    assert Recipe.read(write_recipe(tmp_path / "recipe.toml", content)) == content


def test_text_may_name_its_columns(tmp_path: Path) -> None:
    """A text is a path alone or a table with its columns."""
    path = _changed(tmp_path, "train", '["a.tsv", {path = "b.tsv", columns = ["id", "target", "source"]}, "c"]')
    assert [(file.path, file.columns) for file in Recipe.read(path).data.train] == [
        ("a.tsv", ("source", "target")),
        ("b.tsv", ("id", "target", "source")),
        ("c", ("source", "target")),
    ]


@pytest.mark.parametrize("section", ["model", "data", "training"])
def test_an_unknown_key_is_named(tmp_path: Path, section: str) -> None:
    """A key that a section does not know, such as a misspelled one, is refused by name."""
    path = write_recipe(tmp_path / "recipe.toml", recipe())
    text = path.read_text(encoding="utf-8").replace(f"[{section}]", f"[{section}]\nhiden_size = 3")
    path.write_text(text, encoding="utf-8")
    message = _error(path)
    assert str(path) in message
    assert f"{section}.hiden_size" in message


def test_an_unknown_section_is_named(tmp_path: Path) -> None:
    """A section that recipes do not have is refused by name."""
    path = write_recipe(tmp_path / "recipe.toml", recipe())
    path.write_text(path.read_text(encoding="utf-8") + "[serving]\nport = 1\n", encoding="utf-8")
    assert "serving" in _error(path)


@pytest.mark.parametrize("section", ["model", "data", "training"])
def test_a_missing_section_is_named(tmp_path: Path, section: str) -> None:
    """A recipe must have all three sections."""
    path = write_recipe(tmp_path / "recipe.toml", recipe())
    text = re.sub(rf"(?ms)^\[{section}\].*?(?=^\[|\Z)", "", path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    assert f"{section}: Field required" in _error(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model.cell", '"transformer"'),
        ("model.context", '"dot-product"'),
        ("model.embedding_size", "0"),
        ("model.encoder_hidden_size", "-5"),
        ("model.decoder_hidden_size", "1.5"),
        ("model.encoder_layers", "0"),
        ("model.decoder_layers", '"two"'),
        ("model.attention_size", "0"),
        ("model.bidirectional", '"maybe"'),
        ("model.embedding_dropout", "1.0"),
        ("model.memory_dropout", "-0.1"),
        ("model.readout_dropout", "nan"),
        ("data.source_language", '""'),
        ("data.target_language", "7"),
        ("data.train", "[]"),
        ("data.train", '"train.tsv"'),
        ("data.train", '[""]'),
        ("data.train", '[{path = "a.tsv", columns = ["source"]}]'),
        ("data.train", '[{path = "a.tsv", columns = ["source", "target", "source"]}]'),
        ("data.train", '[{file = "a.tsv"}]'),
        ("data.valid", "[]"),
        ("data.vocabulary_size", "15"),
        ("data.max_pieces", "0"),
        ("data.concatenate", "1.1"),
        ("data.golden", "[]"),
        ("training.seed", "-1"),
        ("training.max_updates", "0"),
        ("training.batch_tokens", "0"),
        ("training.learning_rate", "0.0"),
        ("training.learning_rate", "inf"),
        ("training.warmup_updates", "-1"),
        ("training.schedule", '"linear"'),
        ("training.plateau_patience", "0"),
        ("training.label_smoothing", "1.0"),
        ("training.consistency", "-1.0"),
        ("training.consistency", "inf"),
        ("training.clip_norm", "0"),
        ("training.validate_every", "0"),
        ("training.valid_sentences", "0"),
        ("training.patience", "0"),
        ("training.average", "0"),
        ("training.precision", '"fp16"'),
    ],
)
def test_a_value_out_of_range_is_named(tmp_path: Path, name: str, value: str) -> None:
    """A value of the wrong kind or outside its range is refused with the file and the name of the key."""
    path = _changed(tmp_path, name.split(".")[1], value)
    message = _error(path)
    assert str(path) in message
    assert name in message


def test_consistency_without_dropout_is_refused(tmp_path: Path) -> None:
    """Where nothing is dropped both readings would be the same, and the second a waste."""
    message = _error(_changed(tmp_path, "consistency", "5.0"))
    assert "training.consistency = 5.0" in message
    assert "readout_dropout" in message


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """Two wrong values are both named in one message."""
    path = _changed(tmp_path, "cell", '"cnn"')
    path.write_text(path.read_text(encoding="utf-8").replace("max_updates = 12", "max_updates = 0"), encoding="utf-8")
    message = _error(path)
    assert "model.cell" in message
    assert "training.max_updates" in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A recipe that is not there is an error with its path and the reason."""
    path = tmp_path / "none.toml"
    assert _error(path) == f"cannot read the recipe {path}: No such file or directory"


@pytest.mark.parametrize("content", [b"[model\ncell = 1", b"cell = ", b'name = "gr\xf6\xdfe"\n'])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, content: bytes) -> None:
    """Text that is no TOML, or not UTF-8, is an error with its path."""
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    assert f"{path} is not TOML" in _error(path)
