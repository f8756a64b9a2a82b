"""Training in several processes is training in one."""

import json
import logging
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from models import __main__ as command
from models.processes import Processes
from tests.unit.models.factories import ROOT, lexicon_pairs, recipe, run_main, write_recipe, write_tsv

pytestmark = pytest.mark.torch


def test_one_process_has_everything() -> None:
    """It shares with nobody, and its gradients are the sums."""
    one = Processes()
    layer = nn.Linear(2, 1)
    layer(torch.ones(1, 2)).sum().backward()
    before = [parameter.grad.clone() for parameter in layer.parameters() if parameter.grad is not None]
    assert one.leads
    assert one.share([1, 2, 3]) == [1, 2, 3] == one.whole([1, 2, 3])
    assert one.add_up(layer.parameters(), torch.tensor(4.0)) == 4
    torch.testing.assert_close([parameter.grad for parameter in layer.parameters()], before, rtol=0, atol=0)


def test_shares_are_disjoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row is of one process, and none has many more than another."""
    one = Processes()
    one.count = 3
    shares = []
    for one.rank in range(3):
        shares.append(one.share(range(8)))
    assert sorted(row for share in shares for row in share) == list(range(8))
    assert {len(share) for share in shares} == {2, 3}


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that torchrun gives it, before anything is gathered; NCCL would put all on the first."""
    done: list[object] = []
    for name, value in {"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", done.append)
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda backend, **more: done.append((backend, more)))
    device = command._device(Namespace(device="auto", threads=0))
    Processes(device)
    assert device == torch.device("cuda", 1)
    assert done == [device, ("nccl", {"device_id": device})]
    Processes()
    assert done[2:] == [("gloo", {})]


LEAVING = """
from pathlib import Path
import torch
from torch import distributed
from models.processes import Processes
distributed.init_process_group("gloo", rank=0, world_size=1, store=distributed.HashStore())
torch.optim.Adam([torch.zeros(1, requires_grad=True)])  # imports what would keep the group
Processes().close()
for path in Path("/proc/self/task").glob("*/comm"):
    try:
        print(path.read_text())
    except OSError:  # a thread that has ended since it was listed
        pass
"""


def test_closing_ends_the_threads() -> None:
    """One that outlives the interpreter's end ends the process by SIGABRT, if it is unlucky."""
    done = subprocess.run([sys.executable, "-c", LEAVING], cwd=ROOT, text=True, capture_output=True, check=True)
    assert "python" in done.stdout
    assert "gloo" not in done.stdout


def _losses(run: Path) -> list[list[float]]:
    folders = sorted((run / "checkpoints").iterdir())
    return [json.loads((folder / "progress.json").read_text())["losses"] for folder in folders]


@pytest.mark.parametrize("begun", [False, True], ids=["fresh", "origin"])
def test_two_processes_learn_what_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, begun: bool
) -> None:
    """Over gloo, with odd batches and one of a single row: the same losses, scores and weights as one process.

    So it is with fresh weights and with those of an origin. There is no dropout, which each process draws for itself.
    """
    write_tsv(tmp_path / "train.tsv", lexicon_pairs(41))
    write_tsv(tmp_path / "valid.tsv", lexicon_pairs(9, seed=3))
    content = recipe(training={"batch_tokens": 23, "max_updates": 16, "validate_every": 8})
    path = write_recipe(tmp_path / "recipe.toml", content)
    arguments = ["train", str(path), "--data", str(tmp_path), "--run"]
    if begun:
        assert run_main(monkeypatch, *arguments, tmp_path / "origin") == 0
        arguments[-1:] = ["--origin", str(tmp_path / "origin"), "--run"]
        caplog.clear()
    with caplog.at_level(logging.INFO):
        assert run_main(monkeypatch, *arguments, tmp_path / "one") == 0
    said = caplog.text.count("valid BLEU")
    assert said
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *launcher, "-m", "--", "models", *arguments, str(tmp_path / "two"), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    both = subprocess.run(
        [*command, "--threads", "1"],
        cwd=ROOT,
        env=environment,
        text=True,
        capture_output=True,
        timeout=200,
        check=False,
    )
    assert both.returncode == 0, both.stderr
    for one, two in zip(_losses(tmp_path / "one"), _losses(tmp_path / "two"), strict=True):
        assert two == pytest.approx(one, rel=1e-5)
    found, expected = (load_file(tmp_path / name / "best" / "model.safetensors") for name in ("two", "one"))
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-4)
    assert both.stderr.count("valid BLEU") == said  # the first process alone logs
