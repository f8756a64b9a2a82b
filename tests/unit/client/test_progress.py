import builtins
import io
import sys

import pytest

from seq2serve.commands.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal_as_stderr(monkeypatch) -> Terminal:
    # Not a fixture: pytest puts its own standard error in place between setup and test.
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


def test_a_bar_counts_lines(monkeypatch) -> None:
    pytest.importorskip("tqdm", reason="the bar is tqdm's")
    terminal, output = terminal_as_stderr(monkeypatch), Terminal()
    with Progress(show=True, total=2) as progress:
        for text in ("a", "b"):
            progress.write(text, output)
            progress.advance()
    assert "2/2" in terminal.getvalue()
    assert output.getvalue() == "a\nb\n"


def test_no_bar_unless_shown(monkeypatch) -> None:
    terminal, output = terminal_as_stderr(monkeypatch), io.StringIO()
    with Progress(show=False) as progress:
        progress.write("a", output)
        progress.advance()
    assert (terminal.getvalue(), output.getvalue()) == ("", "a\n")


def test_a_missing_tqdm_is_said_once(monkeypatch) -> None:
    real = builtins.__import__

    def without_tqdm(name, *args, **kwargs):
        if name == "tqdm":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_tqdm)
    terminal, output = terminal_as_stderr(monkeypatch), io.StringIO()
    with Progress(show=True) as progress:
        for text in ("a", "b"):
            progress.write(text, output)
            progress.advance()
    assert terminal.getvalue().count("seq2serve[cli]") == 1
    assert output.getvalue() == "a\nb\n"
