"""Runs on disk: whole or not at all, readable without executing anything."""

import ast
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models import checkpoint
from models.checkpoint import Progress, RunError
from models.tokenizer import PAD_ID, train_tokenizer
from tests.unit.models.factories import ROOT, build, lexicon_pairs, model_config, recipe

pytestmark = pytest.mark.torch

PROGRESS = Progress(update=7, epoch=2, batch=3, bleu=12.5, chrf=30.25, best_bleu=13.0, stale=1, rate_factor=0.5)


class _Killed(BaseException):
    """Stand for a SIGKILL: nothing in the code may catch it."""


def _weights(seed: int) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in build(seed=seed).named_parameters()}


def _same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def _write(run: Path, update: int, bleu: float, extra: bool = True) -> Path:
    folder = run / "checkpoints" / f"{update:07d}"
    state = {"state": torch.ones(2)} if extra else None
    checkpoint.write_checkpoint(folder, build(seed=update), Progress(update=update, bleu=bleu), state)
    return folder


def _names(run: Path) -> list[int]:
    return [int(folder.name) for folder in checkpoint.checkpoints(run)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Write the recipe and the vocabulary of a run."""
    folder = tmp_path / "run"
    folder.mkdir()
    train_tokenizer((side for pair in lexicon_pairs() for side in pair), 40, folder / "vocabulary.model")
    (folder / "recipe.json").write_text(recipe().model_dump_json(), encoding="utf-8")
    return folder


@pytest.mark.parametrize("tied", [True, False])
def test_a_checkpoint_comes_back_as_written(tmp_path: Path, tied: bool) -> None:
    """Weights, progress and extra tensors are the same, bit by bit, after writing and reading."""
    model = build(model_config(tie_embeddings=tied), seed=1)
    extra = {"random.cpu": torch.get_rng_state(), "a/step": torch.tensor(3.0)}
    folder = tmp_path / "checkpoints" / "0000007"
    progress = Progress(**{**vars(PROGRESS), "losses": [6.1234567890123456, 1 / 3]})
    checkpoint.write_checkpoint(folder, model, progress, extra)
    other = build(model_config(tie_embeddings=tied), seed=2)
    assert checkpoint.read_checkpoint(folder, other) == progress
    assert _same(dict(other.named_parameters()), dict(model.named_parameters()))
    assert _same(checkpoint.read_extra(folder), extra)
    assert sorted(path.name for path in folder.iterdir()) == [
        "model.safetensors",
        "optimizer.safetensors",
        "progress.json",
    ]
    assert [path.name for path in folder.parent.iterdir()] == ["0000007"]


def test_a_shared_matrix_is_stored_once(tmp_path: Path) -> None:
    """Tied embeddings take one tensor of the file and are still shared after reading."""
    model = build(model_config(tie_embeddings=True))
    checkpoint.write_checkpoint(tmp_path / "7", model, PROGRESS, None)
    assert sorted(load_file(tmp_path / "7" / "model.safetensors")) == sorted(n for n, _ in model.named_parameters())
    checkpoint.read_checkpoint(tmp_path / "7", model)
    assert model.source_embedding.weight is model.output.weight


def test_writing_again_replaces(tmp_path: Path) -> None:
    """A checkpoint in the same place is replaced as a whole, its optimizer too."""
    checkpoint.write_checkpoint(tmp_path / "best", build(seed=1), PROGRESS, {"a": torch.ones(1)})
    checkpoint.write_checkpoint(tmp_path / "best", build(seed=2), PROGRESS, None)
    assert _same(load_file(tmp_path / "best" / "model.safetensors"), _weights(2))
    assert not (tmp_path / "best" / "optimizer.safetensors").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_wrong_tensors_are_named() -> None:
    """Missing, unknown and misshapen tensors are all named, and the model keeps its weights."""
    model = build(seed=1)
    tensors = _weights(2)
    del tensors["encoder.layers.0.0.input.bias"]
    tensors["stranger"] = torch.ones(1)
    tensors["output.bias"] = torch.ones(3)
    with pytest.raises(RunError) as caught:
        checkpoint.fill(model, tensors)
    assert str(caught.value).endswith("model: encoder.layers.0.0.input.bias, output.bias, stranger")
    assert _same(dict(model.named_parameters()), _weights(1))


@pytest.mark.parametrize("name", ["model.safetensors", "progress.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "empty", "garbage"])
def test_a_damaged_checkpoint_is_refused_by_name(tmp_path: Path, name: str, damage: str) -> None:
    """A file that is missing, cut off, empty or something else is a RunError that names the folder."""
    folder = _write(tmp_path, 7, 1.0)
    _damage(folder / name, damage)
    with pytest.raises(RunError, match="0000007 is no checkpoint"):
        checkpoint.read_checkpoint(folder, build())


@pytest.mark.parametrize("content", ["[]", "{}x", '{"unknown": 1}', "null", '"text"', "7"])
def test_progress_of_another_kind_is_refused(tmp_path: Path, content: str) -> None:
    """JSON that does not hold a progress is a RunError, too."""
    folder = _write(tmp_path, 7, 1.0)
    (folder / "progress.json").write_text(content)
    with pytest.raises(RunError, match="0000007 is no checkpoint"):
        checkpoint.read_checkpoint(folder, build())


@pytest.mark.parametrize("damage", ["missing", "truncated", "empty", "garbage"])
def test_a_damaged_optimizer_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    """A checkpoint whose optimizer cannot be read cannot be resumed, and says so."""
    folder = _write(tmp_path, 7, 1.0)
    _damage(folder / "optimizer.safetensors", damage)
    with pytest.raises(RunError, match="0000007 cannot be resumed"):
        checkpoint.read_extra(folder)


def _damage(path: Path, damage: str) -> None:
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes({"truncated": content[: len(content) // 2], "empty": b"", "garbage": b"\xff" * 99}[damage])


def test_an_unfinished_checkpoint_is_ignored(tmp_path: Path) -> None:
    """A .part folder that a kill left behind is no checkpoint, and the next write of it starts afresh."""
    _write(tmp_path, 4, 1.0)
    part = tmp_path / "checkpoints" / "0000008.part"
    part.mkdir()
    (part / "model.safetensors").write_bytes(b"half")
    (part / "left-over").write_bytes(b"")
    assert _names(tmp_path) == [4]
    assert [folder.name for folder in checkpoint.best_checkpoints(tmp_path, 5)] == ["0000004"]
    assert sorted(path.name for path in _write(tmp_path, 8, 1.0).iterdir())[0] == "model.safetensors"
    assert _names(tmp_path) == [4, 8]
    assert not part.exists()


def test_a_run_without_checkpoints_lists_none(tmp_path: Path) -> None:
    """A run that has not written a checkpoint yet has an empty list of them."""
    assert checkpoint.checkpoints(tmp_path) == []


def test_a_kill_while_writing_leaves_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before the last file is written, a checkpoint is not there, and older ones are untouched."""
    _write(tmp_path, 4, 1.0)

    def killed(*_: Any, **__: Any) -> str:
        raise _Killed

    monkeypatch.setattr("models.checkpoint.json.dumps", killed)
    with pytest.raises(_Killed):
        _write(tmp_path, 8, 1.0)
    assert _names(tmp_path) == [4]


def _kill_in_rmtree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next deletion of a whole folder stop after its first file."""
    rmtree = shutil.rmtree

    def killed(folder: Path, *arguments: Any, **options: Any) -> None:
        if not Path(folder).exists():
            rmtree(folder, *arguments, **options)
            return
        (Path(folder) / "progress.json").unlink()
        raise _Killed

    monkeypatch.setattr("models.checkpoint.shutil.rmtree", killed)


def test_a_kill_while_pruning_leaves_whole_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint that was half deleted when the process died is none: the run can go on, average and prune."""
    for update, bleu in ((4, 1.0), (8, 3.0), (12, 2.0)):
        _write(tmp_path, update, bleu)
    with monkeypatch.context() as patch:
        _kill_in_rmtree(patch)
        with pytest.raises(_Killed):
            checkpoint.prune(tmp_path, 1)
    for folder in checkpoint.checkpoints(tmp_path):
        checkpoint.read_checkpoint(folder, build())
    _write(tmp_path, 16, 1.0)
    checkpoint.prune(tmp_path, 1)
    assert _names(tmp_path) == [8, 16]
    assert checkpoint.average(checkpoint.best_checkpoints(tmp_path, 5))
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["0000008", "0000016"]


def test_a_kill_while_replacing_leaves_a_whole_model_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while RUN/best is replaced, what is there can be read."""
    best = tmp_path / "best"
    checkpoint.write_checkpoint(best, build(seed=1), PROGRESS, None)
    with monkeypatch.context() as patch:
        _kill_in_rmtree(patch)
        with pytest.raises(_Killed):
            checkpoint.write_checkpoint(best, build(seed=2), PROGRESS, None)
    if best.exists():
        checkpoint.read_checkpoint(best, build())
    checkpoint.write_checkpoint(best, build(seed=3), PROGRESS, None)
    assert _same(load_file(best / "model.safetensors"), _weights(3))
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_prune_keeps_the_newest_and_the_best(tmp_path: Path) -> None:
    """All but the newest and the best `keep` are deleted, and only the newest keeps its optimizer."""
    for update, bleu in ((2, 5.0), (4, 9.0), (6, 1.0), (8, 7.0), (10, 0.5)):
        _write(tmp_path, update, bleu)
    checkpoint.prune(tmp_path, 2)
    assert _names(tmp_path) == [4, 8, 10]
    with_optimizer = [path.parent.name for path in sorted(tmp_path.glob("checkpoints/*/optimizer.safetensors"))]
    assert with_optimizer == ["0000010"]


def test_prune_counts_the_newest_among_the_best(tmp_path: Path) -> None:
    """A newest checkpoint that is also among the best takes one of their places."""
    for update, bleu in ((2, 5.0), (4, 9.0), (6, 8.0)):
        _write(tmp_path, update, bleu)
    checkpoint.prune(tmp_path, 2)
    assert _names(tmp_path) == [4, 6]
    checkpoint.prune(tmp_path, 2)
    assert _names(tmp_path) == [4, 6]


def test_the_best_come_first_and_of_equals_the_newer(tmp_path: Path) -> None:
    """Checkpoints are ranked by BLEU, then by age."""
    for update, bleu in ((2, 5.0), (4, 9.0), (6, 9.0), (8, 7.0)):
        _write(tmp_path, update, bleu)
    assert [int(folder.name) for folder in checkpoint.best_checkpoints(tmp_path, 3)] == [6, 4, 8]


@pytest.mark.parametrize("content", ["", "[]", "{'bleu'", '{"bleu": "high"}'])
def test_a_damaged_score_is_a_run_error(tmp_path: Path, content: str) -> None:
    """A checkpoint whose progress cannot be read stops the ranking with a RunError that names it."""
    _write(tmp_path, 2, 5.0)
    (_write(tmp_path, 4, 5.0) / "progress.json").write_text(content)
    with pytest.raises(RunError, match="0000004"):
        checkpoint.best_checkpoints(tmp_path, 2)


def test_the_average_is_the_mean(tmp_path: Path) -> None:
    """Averaging gives the mean of every weight, and of one checkpoint that checkpoint."""
    folders = [_write(tmp_path, update, 1.0) for update in (1, 2, 3)]
    weights = [_weights(seed) for seed in (1, 2, 3)]
    for name, mean in checkpoint.average(folders).items():
        torch.testing.assert_close(mean, sum(w[name] for w in weights) / 3)
    assert _same(checkpoint.average(folders[:1]), weights[0])


def test_averaging_nothing_is_refused() -> None:
    """There must be a checkpoint to average."""
    with pytest.raises(RunError, match="no checkpoint"):
        checkpoint.average([])


@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_averaging_a_damaged_checkpoint_is_a_run_error(tmp_path: Path, damage: str) -> None:
    """A damaged file among those to average is a RunError that names its folder."""
    folders = [_write(tmp_path, update, 1.0) for update in (1, 2)]
    _damage(folders[1] / "model.safetensors", damage)
    with pytest.raises(RunError, match="0000002"):
        checkpoint.average(folders)


def test_a_run_comes_back_with_recipe_and_vocabulary(run: Path) -> None:
    """The recipe of a run is the one it was started with, and its vocabulary has its size."""
    stored, tokenizer = checkpoint.read_run(run)
    assert stored == recipe()
    assert len(tokenizer) == 40
    assert checkpoint.build_model(stored, tokenizer).output.weight.shape[0] == 40


@pytest.mark.parametrize("name", ["recipe.json", "vocabulary.model"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "empty", "garbage"])
def test_a_damaged_run_is_a_run_error(run: Path, name: str, damage: str) -> None:
    """A recipe or vocabulary that is missing or damaged is a RunError that names the run."""
    _damage(run / name, damage)
    with pytest.raises(RunError, match="is not a training run"):
        checkpoint.read_run(run)


def test_a_run_without_a_best_model_says_what_to_do(run: Path) -> None:
    """Loading the best model of an unfinished run names the command that makes one."""
    with pytest.raises(RunError, match=r"no best model yet.*python -m models average .* --data DATA`"):
        checkpoint.load_best(run, torch.device("cpu"))


def test_the_best_model_is_ready_for_inference(run: Path) -> None:
    """Loading the best model gives its weights, in evaluation mode, and its progress."""
    stored, tokenizer = checkpoint.read_run(run)
    model = checkpoint.build_model(stored, tokenizer)
    checkpoint.write_checkpoint(run / "best", model, PROGRESS, None)
    _, _, loaded, progress = checkpoint.load_best(run, torch.device("cpu"))
    assert not loaded.training
    assert loaded.pad_id == PAD_ID
    assert progress == PROGRESS
    assert _same(dict(loaded.named_parameters()), dict(model.named_parameters()))


def test_files_are_safetensors_and_json(tmp_path: Path) -> None:
    """A checkpoint's files are plain safetensors and JSON, readable by their own libraries."""
    folder = _write(tmp_path, 7, 2.0)
    assert json.loads((folder / "progress.json").read_text())["bleu"] == 2.0
    copy = tmp_path / "copy.safetensors"
    save_file(load_file(folder / "model.safetensors"), copy)
    assert _same(load_file(copy), _weights(7))


def test_a_pickle_is_no_checkpoint(tmp_path: Path) -> None:
    """What torch.save wrote is refused by name instead of unpickled, whatever its file is called."""
    folder = _write(tmp_path, 1, bleu=1.0)
    for name, read in (
        ("model.safetensors", lambda: checkpoint.read_checkpoint(folder, build(seed=1))),
        ("optimizer.safetensors", lambda: checkpoint.read_extra(folder)),
    ):
        torch.save({"weight": torch.ones(2)}, folder / name)
        with pytest.raises(RunError, match=str(folder)):
            read()


FORBIDDEN_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_CALLS = {
    (module, name) for module in ("torch", "numpy", "np") for name in ("load", "save", "savez")
} | {("torch", "package"), ("torch", "jit")}  # fmt: skip


@pytest.mark.parametrize("path", sorted((ROOT / "models").glob("*.py")), ids=lambda path: path.stem)
def test_nothing_pickles(path: Path) -> None:
    """No module of models/ imports a pickling library or calls torch.load, torch.save or their like."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not FORBIDDEN_MODULES & {alias.name.split(".")[0] for alias in node.names}, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in FORBIDDEN_MODULES, node.lineno
            assert not {(node.module, alias.name) for alias in node.names} & FORBIDDEN_CALLS, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in FORBIDDEN_CALLS, node.lineno
        elif isinstance(node, ast.keyword):
            assert node.arg != "allow_pickle", node.lineno
