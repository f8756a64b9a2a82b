"""Training on an invented language: it learns, stops, and goes on where it was."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from models import checkpoint, training
from models.checkpoint import RunError
from models.config import Recipe
from models.data import DataError
from models.evaluation import Scores, evaluate
from models.start import resume_run, start_run
from models.training import Trainer, write_best
from tests.unit.models.factories import lexicon_pairs, recipe, write_tsv

pytestmark = pytest.mark.torch

CPU = torch.device("cpu")
PAIRS = lexicon_pairs(60)


def _start(content: Recipe, data: Path, run: Path) -> Trainer:
    return Trainer(content, start_run(content, data, run), data, run, CPU)


def _resumed(content: Recipe, data: Path, run: Path) -> Trainer:
    trainer = Trainer(content, resume_run(content, run), data, run, CPU)
    trainer.resume()
    return trainer


def _bleus(monkeypatch: pytest.MonkeyPatch, values: list[float]) -> None:
    """Let validations give these BLEU scores, and the last one for ever after."""
    left = list(values)

    def scripted(*_: Any) -> Scores:
        return Scores(left.pop(0) if len(left) > 1 else left[0], 1.0, "", "")

    for name in ("score", "evaluate"):  # of a validation, and of what is written in the end
        monkeypatch.setattr(training, name, scripted)


def _same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("cell", "conditional"), [("gru", True), ("lstm", False), ("rnn", True)], ids=str)
def test_it_learns_a_toy_language(data: Path, tmp_path: Path, cell: str, conditional: bool) -> None:
    """The loss falls and 60 sentences of a word-by-word language are learnt to a BLEU above 50 in seconds."""
    content = recipe(
        {
            "cell": cell,
            "conditional": conditional,
            "embedding_size": 32,
            "encoder_hidden_size": 32,
            "decoder_hidden_size": 32,
            "attention_size": 32,
        },
        {},
        {
            "max_updates": 90,
            "validate_every": 30,
            "batch_tokens": 300,
            "warmup_updates": 10,
            "label_smoothing": 0.0,
            "valid_sentences": 20,
        },
    )
    trainer = _start(content, data, tmp_path / "run")
    trainer.train()
    losses = trainer.progress.losses
    assert len(losses) == 3
    assert losses[0] > losses[1] > losses[2]
    assert losses[2] < losses[0] / 2
    _, tokenizer, model, progress = checkpoint.load_best(tmp_path / "run", CPU)
    assert progress.bleu > 50
    assert evaluate(model, tokenizer, PAIRS[:20]).bleu == progress.bleu


def test_it_learns_in_bf16(data: Path, tmp_path: Path) -> None:
    """Mixed precision trains, too: the loss falls and the weights stay fp32."""
    trainer = _start(
        recipe(training={"precision": "bf16", "max_updates": 24, "validate_every": 8}), data, tmp_path / "r"
    )
    assert trainer.bf16
    trainer.train()
    assert trainer.progress.losses[0] > trainer.progress.losses[-1]
    assert {parameter.dtype for parameter in trainer.model.parameters()} == {torch.float32}


def test_it_learns_from_two_readings(data: Path, tmp_path: Path) -> None:
    """With consistency the loss falls, too, and an update counts every word once."""
    dropping, held = {"readout_dropout": 0.3}, {"consistency": 5.0, "max_updates": 24, "validate_every": 8}
    once, twice = (
        _start(recipe(dropping, {}, {**held, **changes}), data, tmp_path / name)
        for name, changes in (("once", {"consistency": 0.0}), ("twice", {}))
    )
    once.train()
    twice.train()
    assert twice.progress.losses[0] > twice.progress.losses[-1]
    assert twice.progress.target_tokens == once.progress.target_tokens


def test_the_seed_decides(data: Path, tmp_path: Path) -> None:
    """Two runs of one recipe end in the same weights, bit by bit; another seed ends in others."""
    ends = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        trainer = _start(recipe({"readout_dropout": 0.3}, {}, {"seed": seed}), data, tmp_path / name)
        trainer.train()
        ends.append(load_file(tmp_path / name / "best" / "model.safetensors"))
    assert _same(ends[0], ends[1])
    assert not _same(ends[0], ends[2])


class _Killed(BaseException):
    """Stand for a SIGKILL between two updates."""


VARIED = recipe(
    {"cell": "lstm", "embedding_dropout": 0.2, "memory_dropout": 0.2, "readout_dropout": 0.2},
    {"concatenate": 0.3},
    {"schedule": "plateau", "plateau_patience": 1, "max_updates": 22},
)


Record = tuple[str, dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]


def _record(run: Path) -> Record:
    last = checkpoint.checkpoints(run)[-1]
    return (
        (last / "progress.json").read_text(),
        load_file(last / "model.safetensors"),
        load_file(last / "optimizer.safetensors"),
        load_file(run / "best" / "model.safetensors"),
    )


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """Train the varied recipe without a break."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("unbroken")
    write_tsv(folder / "train.tsv", PAIRS)
    write_tsv(folder / "valid.tsv", PAIRS[:20])
    _start(VARIED, folder, folder / "run").train()
    return _record(folder / "run")


@pytest.mark.parametrize("moments", [[1], [6], [8], [9, 11], [5, 6, 7, 21], [22]], ids=str)
def test_a_broken_run_ends_like_an_unbroken_one(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unbroken: Record, moments: list[int]
) -> None:
    """Broken off before, at or after checkpoints, once or often, it ends in the same losses, scores and bits."""
    update = Trainer.update

    def dies(moment: int) -> Callable[..., Tensor]:
        def dying(self: Trainer, *arguments: Any) -> Tensor:
            if self.progress.update + 1 == moment:
                raise _Killed
            return update(self, *arguments)

        return dying

    run = tmp_path / "broken"
    trainer = _start(VARIED, data, run)
    for moment in moments:
        monkeypatch.setattr(Trainer, "update", dies(moment))
        with pytest.raises(_Killed):
            trainer.train()
        torch.manual_seed(4321)
        trainer = _resumed(VARIED, data, run)
        assert trainer.progress.update == (moment - 1) // 4 * 4
    monkeypatch.setattr(Trainer, "update", update)
    trainer.train()

    broken = _record(run)
    assert broken[0] == unbroken[0]
    assert all(_same(mine, theirs) for mine, theirs in zip(broken[1:], unbroken[1:], strict=True))


def test_resuming_a_finished_run_changes_nothing(data: Path, tmp_path: Path) -> None:
    """A run that has reached its last update is resumed to the same result without training."""
    run = tmp_path / "run"
    _start(VARIED, data, run).train()
    before = _record(run)
    _resumed(VARIED, data, run).train()
    after = _record(run)
    assert after[0] == before[0]
    assert all(_same(mine, theirs) for mine, theirs in zip(after[1:], before[1:], strict=True))


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "progress.json"])
def test_resuming_from_a_damaged_checkpoint_is_refused(data: Path, tmp_path: Path, name: str) -> None:
    """A newest checkpoint with a cut-off file is an error that names it, not a run from somewhere else."""
    run = tmp_path / "run"
    _start(recipe(), data, run).train()
    path = run / "checkpoints" / "0000012" / name
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(RunError, match="0000012"):
        _resumed(recipe(), data, run)


def test_bad_validation_text_leaves_no_run(data: Path, tmp_path: Path) -> None:
    """Validation text is checked before the folder becomes a run, so a mended file needs no --resume."""
    (data / "valid.tsv").write_text("no tab\n")
    with pytest.raises(DataError, match=r"valid\.tsv, line 1"):
        _start(recipe(), data, tmp_path / "run")
    write_tsv(data / "valid.tsv", PAIRS[:2])
    _start(recipe(), data, tmp_path / "run")


def test_validation_text_without_a_pair_is_refused_at_the_start(data: Path, tmp_path: Path) -> None:
    """An empty validation text is an error before the first update, not after the first thousand."""
    (data / "valid.tsv").write_text("")
    with pytest.raises(DataError, match="valid"):
        _start(recipe(), data, tmp_path / "run")


def test_validation_reads_the_first_sentences(data: Path, tmp_path: Path) -> None:
    """Validation uses the first `valid_sentences` pairs."""
    assert _start(recipe(training={"valid_sentences": 3}), data, tmp_path / "run").valid == PAIRS[:3]


@pytest.mark.parametrize("rank", range(3))
def test_more_processes_than_sentences_validate(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    """Each translates its share, which may be empty, and scores what all of them translated."""
    trainer = _start(recipe(training={"valid_sentences": 2}), data, tmp_path / "run")
    processes, own = trainer.processes, list[Any]()
    shares = [[PAIRS[0][1]], [PAIRS[1][1]], list[str]()]

    def gathered(share: list[str]) -> list[list[str]]:
        own.append(share)
        return shares

    monkeypatch.setattr(processes, "gather", gathered)
    processes.count, processes.rank = 3, rank
    trainer.progress.losses.append(1.0)
    assert trainer.validate().chrf == pytest.approx(100)
    assert [len(share) for share in own] == [len(shares[rank])]


def test_it_stops_early(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training ends after `patience` validations without a better BLEU, long before max_updates, with a result."""
    _bleus(monkeypatch, [5.0, 7.0, 7.0, 6.0, 7.0, 3.0])
    content = recipe(training={"patience": 3, "max_updates": 4000, "validate_every": 2})
    trainer = _start(content, data, tmp_path / "run")
    trainer.train()
    assert trainer.progress.update == 10
    assert trainer.progress.best_bleu == 7.0
    assert (tmp_path / "run" / "best").is_dir()
    _resumed(content, data, tmp_path / "run").train()
    assert checkpoint.checkpoints(tmp_path / "run")[-1].name == "0000010"


def test_a_better_score_renews_the_patience(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each better BLEU starts the count of stale validations again."""
    _bleus(monkeypatch, [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0])
    trainer = _start(recipe(training={"patience": 2, "max_updates": 100, "validate_every": 1}), data, tmp_path / "run")
    trainer.train()
    assert trainer.progress.update == 7


def test_the_plateau_schedule_halves_the_rate(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each `plateau_patience` validations without a better BLEU halve the rate that updates use."""
    _bleus(monkeypatch, [5.0, 4.0, 4.0, 4.0, 4.0, 6.0, 5.0])
    content = recipe(
        training={
            "schedule": "plateau", "plateau_patience": 2, "learning_rate": 0.01, "warmup_updates": 0,
            "max_updates": 8, "validate_every": 1,
        }
    )  # fmt: skip
    trainer = _start(content, data, tmp_path / "run")
    rates: list[float] = []
    update = Trainer.update

    def recorded(self: Trainer, *arguments: Any) -> Tensor:
        loss = update(self, *arguments)
        rates.append(self.optimizer.param_groups[0]["lr"])
        return loss

    monkeypatch.setattr(Trainer, "update", recorded)
    trainer.train()
    assert rates == pytest.approx([0.01] * 3 + [0.005] * 2 + [0.0025] * 3)


def test_gradients_are_clipped(data: Path, tmp_path: Path) -> None:
    """The gradient that an update uses has at most the norm clip_norm."""
    trainer = _start(recipe(training={"clip_norm": 0.01}), data, tmp_path / "run")
    trainer.update(next(trainer.batches()))
    norms = [parameter.grad.norm() for parameter in trainer.model.parameters() if parameter.grad is not None]
    assert torch.stack(norms).norm().item() == pytest.approx(0.01, rel=1e-3)


def test_the_stream_deals_each_epoch_once(data: Path, tmp_path: Path) -> None:
    """Batches of an epoch come in the order of the corpus, and the next epoch follows."""
    trainer = _start(recipe(training={"max_updates": 1000}), data, tmp_path / "run")
    stream = trainer.batches()
    for epoch in (0, 1):
        for pairs in trainer.corpus.batches(1, epoch, 120):
            batch = next(stream)
            assert trainer.progress.epoch == epoch
            assert batch.lengths.tolist() == [len(source) for source, _ in pairs]
            assert batch.target_tokens == sum(len(target) + 1 for _, target in pairs)


@pytest.mark.parametrize(("average", "expected"), [(50.0, "mean"), (10.0, "single")])
def test_the_result_is_the_average_or_the_single_best(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, average: float, expected: str
) -> None:
    """RUN/best is the mean of the best checkpoints where that scores at least as high, else the best one."""
    run = tmp_path / "run"
    _bleus(monkeypatch, [20.0, 30.0, 10.0, 30.0, average])
    trainer = _start(recipe(training={"average": 2}), data, run)
    trainer.train()
    assert [int(folder.name) for folder in checkpoint.checkpoints(run)] == [4, 8, 12]
    single = load_file(run / "checkpoints" / "0000008" / "model.safetensors")
    mean = checkpoint.average([run / "checkpoints" / "0000008", run / "checkpoints" / "0000004"])
    best = load_file(run / "best" / "model.safetensors")
    assert _same(best, mean if expected == "mean" else single)
    _, _, _, progress = checkpoint.load_best(run, CPU)
    assert progress.bleu == max(average, 30.0)
    assert progress.update == 8


def test_finishing_a_run_without_checkpoints_is_refused(data: Path, tmp_path: Path) -> None:
    """A run with nothing to average says so instead of failing in a list."""
    trainer = _start(recipe(), data, tmp_path / "run")
    with pytest.raises(RunError, match="no checkpoint"):
        write_best(trainer.run, 2, trainer.model, trainer.tokenizer, trainer.valid_text)


def test_a_run_leaves_nothing_but_its_files(data: Path, tmp_path: Path) -> None:
    """A finished run holds safetensors, JSON, the vocabulary and TensorBoard files: no pickle, no unfinished folder."""
    run = tmp_path / "run"
    _start(recipe(), data, run).train()
    files = [path for path in run.rglob("*") if path.is_file()]
    assert {path.suffix for path in files if "tensorboard" not in path.parts} == {".safetensors", ".json", ".model"}
    assert sorted(path.name for path in run.iterdir()) == [
        "best", "checkpoints", "recipe.json", "tensorboard", "vocabulary.model",
    ]  # fmt: skip
    assert not [path for path in files if path.read_bytes()[:2] in (b"PK", b"\x80\x02", b"\x80\x04", b"\x80\x05")]
    assert not list(run.rglob("*.part"))


def test_a_moved_run_can_be_resumed(data: Path, tmp_path: Path) -> None:
    """Nothing in a run depends on where its folder is."""
    _start(recipe(), data, tmp_path / "run").train()
    shutil.move(tmp_path / "run", tmp_path / "elsewhere")
    assert _resumed(recipe(), data, tmp_path / "elsewhere").progress.update == 12
