"""What docs/decoding.md shows is what the server answers in fp32."""

import contextlib
import doctest
import io
import re
import shlex
from collections.abc import Iterator

import pytest

from seq2serve.command import main
from tests.server_process import ROOT, ServerProcess

TEXT = (ROOT / "docs" / "decoding.md").read_text()
NUMBER = re.compile(r"-?\d+\.\d+")
ROUNDING = 0.02  # of a number that is shown; other machines add up in another order


def alike(shown: str, got: str) -> bool:
    """Tell whether two texts are the same but for the last digits of numbers."""
    if NUMBER.sub("#", shown).split() != NUMBER.sub("#", got).split():
        return False
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(got), strict=True)
    return all(float(one) == pytest.approx(float(other), abs=ROUNDING) for one, other in pairs)


class Checker(doctest.OutputChecker):
    """Allow for rounding."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        """Compare an example's output."""
        return alike(want, got)


def commands() -> Iterator[tuple[str, str]]:
    """Yield the commands of console blocks, and what they print."""
    for block in re.findall(r"^```console\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        yield from re.findall(r"^\$ seq2serve (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)


@pytest.mark.parametrize(("command", "shown"), list(commands()))
def test_command(fp32_server: ServerProcess, monkeypatch: pytest.MonkeyPatch, command: str, shown: str) -> None:
    """A command prints what the document says."""
    monkeypatch.setenv("SEQ2SERVE_ADDRESS", fp32_server.address)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        main(shlex.split(command))
    assert alike(shown, printed.getvalue()), printed.getvalue()


def test_python(fp32_server: ServerProcess) -> None:
    """The Python examples give what the document says."""
    text = TEXT.replace("127.0.0.1:50051", fp32_server.address)
    examples = doctest.DocTestParser().get_doctest(text, {}, "decoding.md", None, 0)
    assert len(examples.examples) > 40
    report = io.StringIO()
    failed, _ = doctest.DocTestRunner(Checker()).run(examples, out=report.write)
    assert not failed, report.getvalue()
