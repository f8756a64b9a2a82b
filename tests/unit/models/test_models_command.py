"""`python -m models` as a user meets it: killed, resumed, asked for scores, and given bad input."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import sacrebleu
import torch
from safetensors.torch import load_file

from models import __main__ as command
from models import checkpoint
from models.config import Recipe
from models.start import start_run
from tests.unit.models.factories import (
    lexicon_pairs,
    recipe,
    run_main,
    run_models,
    start_models,
    write_recipe,
    write_tsv,
)

pytestmark = pytest.mark.torch

PAIRS = lexicon_pairs(60)
RECIPE = recipe(
    {"embedding_dropout": 0.2, "memory_dropout": 0.2, "readout_dropout": 0.2, "embedding_size": 16},
    {"concatenate": 0.2},
    {"max_updates": 90, "validate_every": 10, "warmup_updates": 10},
)


class _Bench:
    """Hold a folder with data and a recipe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        write_tsv(self.data / "train.tsv", PAIRS)
        write_tsv(self.data / "valid.tsv", PAIRS[:8])
        self.recipe = write_recipe(folder / "recipe.toml", RECIPE)

    def train(self, run: Path, *more: str) -> list[str]:
        """Give the arguments that train into `run`."""
        return ["train", str(self.recipe), "--data", str(self.data), "--run", str(run), *more]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> _Bench:
    return _Bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def finished(bench: _Bench) -> Path:
    """Train a run from beginning to end, in this process."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        assert run_main(patch, *bench.train(bench.folder / "finished")) == 0
    return bench.folder / "finished"


def _until(path: Path, process: "subprocess.Popen[str]", seconds: float = 300) -> None:
    """Wait for a path that a process makes; much longer than it takes, since other work may hold the cores."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, f"the process ended before {path} appeared"
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.001)


@pytest.mark.timeout(900)
def test_a_killed_run_resumes_to_the_same_losses_and_bits(
    bench: _Bench, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed by SIGKILL after a checkpoint and resumed, a run ends as the unbroken one: losses, scores, every bit."""
    update = 30  # the third checkpoint: from here on older ones are deleted, too
    run = bench.folder / "killed"
    process = start_models(*bench.train(run))
    try:
        _until(run / "checkpoints" / f"{update:07d}", process)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (run / "best").exists(), "the run was over before the kill"
    assert update <= int(checkpoint.checkpoints(run)[-1].name) < 90

    assert run_main(monkeypatch, *bench.train(run, "--resume")) == 0
    mine, theirs = (checkpoint.checkpoints(folder)[-1] for folder in (run, finished))
    assert mine.name == theirs.name == "0000090"
    assert (mine / "progress.json").read_text() == (theirs / "progress.json").read_text()
    for name in ("checkpoints/0000090/model", "checkpoints/0000090/optimizer", "best/model"):
        ours, expected = (load_file(folder / f"{name}.safetensors") for folder in (run, finished))
        assert ours.keys() == expected.keys()
        assert all(torch.equal(ours[key], expected[key]) for key in expected), name


def test_a_run_begins_with_another_ones_model(
    bench: _Bench, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`train --origin RUN` says what it begins with, and learns on from there."""
    content = RECIPE.model_copy(update={"training": RECIPE.training.model_copy(update={"max_updates": 10})})
    short = write_recipe(tmp_path / "short.toml", content)
    flags = ("--data", bench.data, "--run", tmp_path / "run", "--origin", finished)
    with caplog.at_level("INFO"):
        assert run_main(monkeypatch, "train", short, *flags) == 0
    assert f"starting with the weights and the vocabulary of {finished}" in caplog.text
    losses = [checkpoint.load_best(run, torch.device("cpu"))[3].losses for run in (tmp_path / "run", finished)]
    assert losses[0][0] < losses[1][0]


def test_a_run_is_begun_or_resumed(
    bench: _Bench, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--origin` with `--resume` is refused."""
    with pytest.raises(SystemExit):
        run_main(monkeypatch, *bench.train(tmp_path / "run", "--resume", "--origin", str(finished)))
    assert "argument --origin: not allowed with argument --resume" in capsys.readouterr().err


def test_evaluate_prints_scores_with_signatures(bench: _Bench, finished: Path) -> None:
    """`evaluate RUN FILE.tsv` prints BLEU and chrF, each with sacrebleu's signature, and nothing else."""
    done = run_models("evaluate", finished, bench.data / "valid.tsv")
    assert done.returncode == 0, done.stderr
    bleu, chrf = done.stdout.splitlines()
    version = re.escape(sacrebleu.__version__)
    assert re.fullmatch(rf"BLEU \d+\.\d\d  nrefs:1\|case:mixed\|eff:no\|tok:13a\|smooth:exp\|version:{version}", bleu)
    assert re.fullmatch(rf"chrF \d+\.\d\d  nrefs:1\|case:mixed\|eff:yes\|nc:6\|nw:0\|space:no\|version:{version}", chrf)
    progress = checkpoint.load_best(finished, torch.device("cpu"))[3]
    assert f"BLEU {progress.bleu:.2f} " in bleu
    assert f"chrF {progress.chrf:.2f} " in chrf


def test_evaluate_finds_named_columns(
    bench: _Bench, finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--columns` says which columns of the file are source and target."""
    assert run_main(monkeypatch, "evaluate", finished, bench.data / "valid.tsv") == 0
    expected = capsys.readouterr().out
    path = bench.folder / "columns.tsv"
    path.write_text("".join(f"{i}\t{t}\t{s}\n" for i, (s, t) in enumerate(PAIRS[:8])), encoding="utf-8")
    assert run_main(monkeypatch, "evaluate", finished, path, "--columns", "id,target,source") == 0
    assert capsys.readouterr().out == expected


def test_average_makes_the_best_model_of_an_unfinished_run(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`average RUN` writes the same RUN/best as the end of training, from the validation text alone."""
    write_tsv(tmp_path / "valid.tsv", PAIRS[:8])
    expected = load_file(finished / "best" / "model.safetensors")
    (finished / "best").rename(finished / "best-before")
    assert run_main(monkeypatch, "average", finished, "--data", tmp_path) == 0
    actual = load_file(finished / "best" / "model.safetensors")
    assert all(torch.equal(actual[name], expected[name]) for name in expected)


def test_a_bad_recipe_ends_with_one_line(bench: _Bench) -> None:
    """A user's mistake is one line on standard error and exit status 1, without a traceback."""
    done = run_models("train", bench.folder / "none.toml", "--data", bench.data, "--run", bench.folder / "never")
    assert done.returncode == 1
    assert done.stderr == f"error: cannot read the recipe {bench.folder / 'none.toml'}: No such file or directory\n"
    assert done.stdout == ""
    assert not (bench.folder / "never").exists()


def test_mistakes_are_told_in_one_line(
    bench: _Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each wrong argument gives exit status 1 and an error that names what is wrong."""
    run = tmp_path / "run"
    start_run(Recipe.read(bench.recipe), bench.data, run)
    (tmp_path / "file").write_text("")
    (tmp_path / "empty.tsv").write_text("")
    write_tsv(tmp_path / "good.tsv", PAIRS[:2])
    checkpoint.write_checkpoint(
        run / "best", checkpoint.build_model(*checkpoint.read_run(run)), checkpoint.Progress(), None
    )
    other = write_recipe(tmp_path / "other.toml", RECIPE.model_copy(update={"training": recipe().training}))
    cases: list[tuple[list[str | Path], str]] = [
        ([*bench.train(run)], "already holds a run"),
        (["train", other, "--data", bench.data, "--run", run, "--resume"], "the recipe differs"),
        ([*bench.train(tmp_path / "none", "--resume")], "holds no run to resume"),
        (
            ["train", bench.recipe, "--data", tmp_path, "--run", tmp_path / "new"],
            f"cannot read {tmp_path / 'train.tsv'}",
        ),
        ([*bench.train(tmp_path / "file")], str(tmp_path / "file")),
        (["evaluate", tmp_path, tmp_path / "good.tsv"], "is not a training run"),
        (["evaluate", run, tmp_path / "none.tsv"], f"cannot read {tmp_path / 'none.tsv'}"),
        (["evaluate", run, tmp_path / "empty.tsv"], str(tmp_path / "empty.tsv")),
        (["evaluate", run, tmp_path / "good.tsv", "--columns", "source,other"], "'target'"),
        (["average", run, "--data", bench.data], "no checkpoint"),
        (["average", tmp_path / "none", "--data", bench.data], "is not a training run"),
    ]
    failures = []
    for arguments, expected in cases:
        try:
            status = run_main(monkeypatch, *arguments)
        except Exception as error:  # a traceback for the user
            failures.append(f"{arguments[0]} … {expected}: {type(error).__name__}: {error}")
            continue
        message = capsys.readouterr().err
        if status != 1 or not message.startswith("error: ") or expected not in message or message.count("\n") > 1:
            failures.append(f"{arguments[0]} … {expected}: status {status}, {message!r}")
    assert not failures, "\n".join(failures)


def test_a_missing_gpu_is_said_plainly(
    bench: _Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--device cuda` without a GPU is an error that says what to do."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["python -m models", *bench.train(bench.folder / "never"), "--device", "cuda"])
    assert command.main() == 1
    assert "--device cuda: this PyTorch sees no GPU" in capsys.readouterr().err
