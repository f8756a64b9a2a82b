"""Figures: what they measure, on the smallest scale at which it shows."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

from models import __main__ as command
from models.config import TextFile
from models.figures import alignment, gradients, lengths
from models.figures.recall import CUE, SAID, Listener, accuracy, draw_task, learn
from tests.unit.export.factories import make_run
from tests.unit.models.factories import lexicon_pairs, write_tsv

pytestmark = pytest.mark.torch


def test_a_task_says_symbols_again_after_the_delay() -> None:
    """Symbols, blanks, and a cue for each symbol, with the symbols as targets."""
    task = draw_task(4, batch=2)
    assert task.inputs.shape == (2, SAID + 4 + SAID, CUE + 1)
    assert torch.equal(task.inputs[:, :SAID].argmax(-1), task.targets)
    assert (task.inputs[:, -SAID:].argmax(-1) == CUE).all()


def test_listeners_learn_a_short_delay() -> None:
    """Some updates are enough for a delay of one step, and fresh weights only guess."""
    assert accuracy(learn("gru", 1, 300, seed=1), 1) > 0.9
    assert accuracy(Listener("gru"), 1) < 0.4


def test_the_copy_task_is_drawn_of_several_seeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every cell has a line for each delay, with the mean of its runs and each of them, which differ."""
    out = tmp_path / "copy.png"
    asked = ["figures", "copy", "--delays", "1", "3", "--updates", "8", "--seeds", "2", "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["python -m models", *asked])
    command.main()
    lines = capsys.readouterr().out.splitlines()[:6]
    assert [line.split()[:3] for line in lines] == [
        [cell, "delay", delay] for cell in ("rnn", "gru", "lstm") for delay in ("1", "3")
    ]
    apart = 0
    for line in lines:
        mean, *runs = (float(word.strip("()")) for word in line.split()[4:])
        assert mean == pytest.approx(sum(runs) / 2, abs=0.011)
        apart += runs[0] != runs[1]
    assert apart >= 3
    assert out.read_bytes().startswith(b"\x89PNG")


def test_gradient_norms_are_those_of_the_last_words_error() -> None:
    """They are by distance, from the input at the error itself on."""
    torch.manual_seed(0)
    listener = Listener("rnn")
    with torch.no_grad():
        listener.cell.recurrent.weight.mul_(0.1)  # every step loses most of it
    found = gradients.norms(listener, 6)
    assert len(found) == 7
    assert all(near > 3 * far > 0 for near, far in pairwise(found))


def test_texts_are_sorted_by_the_length_of_their_source() -> None:
    pairs = [("a b", "x"), ("a b c", "y"), ("a " * 9, "z"), ("a", "w")]
    assert lengths.buckets(pairs, (2, 5)) == {2: [("a b", "x"), ("a", "w")], 5: [("a b c", "y")]}


def test_runs_whose_folders_have_one_name_are_all_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a line, which its path tells from the other's."""
    runs = [make_run(tmp_path / seed / "en-de", seed=int(seed)) for seed in ("1", "2")]
    file = TextFile(path=str(write_tsv(tmp_path / "text.tsv", lexicon_pairs(4))))
    axes = Figure().add_subplot()
    monkeypatch.setattr(lengths, "write", lambda path, panels, fill, **more: fill([axes]))
    lengths.draw(tmp_path / "lengths.png", runs, file, (5,), torch.device("cpu"))
    assert [line.get_label() for line in axes.get_lines()] == [f"{run} (gru, additive)" for run in runs]


def test_pictures_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """BLEU by length for several runs, and heat maps of one; a run without attention is refused by name."""
    runs = [make_run(tmp_path / "fixed", {"context": "fixed-initial"}), make_run(tmp_path / "attends")]
    text = write_tsv(tmp_path / "text.tsv", lexicon_pairs(12))
    file = TextFile(path=str(text))
    lengths.draw(tmp_path / "lengths.png", runs, file, (3, 5), torch.device("cpu"))
    output = capsys.readouterr().out
    assert "fixed (gru, fixed-initial)  ≤3" in output
    assert "attends (gru, additive)  ≤3" in output
    alignment.draw(tmp_path / "alignment.png", runs[1], ["mira bako", "sule"])
    for picture in ("lengths.png", "alignment.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
    monkeypatch.setattr("sys.argv", ["python -m models", "figures", "alignment", str(runs[0]), "mira"])
    assert command.main() == 1
    assert "context = 'fixed-initial' has no attention to draw" in capsys.readouterr().err
