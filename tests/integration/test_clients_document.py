"""What docs/clients.md shows works as it is shown."""

import doctest
import io
import re
import shutil
import subprocess

import pytest

from seq2serve import Client
from tests.server_process import ROOT, ServerProcess

TEXT = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
ADDRESS = "127.0.0.1:50051"


def shown(program: str) -> list[tuple[str, str]]:
    """Return the commands of a program, and what they are said to print."""
    blocks = "".join(re.findall(r"^```console\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
    return re.findall(rf"^\$ ({program} .*)\n((?:(?!\$ ).*\n)*)", blocks, re.MULTILINE)


def test_python(fp32_server: ServerProcess) -> None:
    """The Python examples print what the page says."""
    pytest.importorskip("tritonclient.grpc", reason="tritonclient is not installed (make test installs it)")
    text = TEXT.replace(ADDRESS, fp32_server.address)
    examples = doctest.DocTestParser().get_doctest(text, {}, "clients.md", None, 0)
    assert len(examples.examples) > 15
    report = io.StringIO()
    failed, _ = doctest.DocTestRunner().run(examples, out=report.write)
    assert not failed, report.getvalue()


def test_grpcurl(fp32_server: ServerProcess) -> None:
    """Its commands work."""
    if shutil.which("grpcurl") is None:
        pytest.skip("grpcurl is not installed")
    (list_command, services), (translate_command, _) = shown("grpcurl")
    printed = [
        subprocess.check_output(command.replace(ADDRESS, fp32_server.address), shell=True, text=True)
        for command in (list_command, translate_command)
    ]
    assert printed[0] == services
    assert '"text": "Guten Morgen."' in printed[1]


def test_translations_for_node(fp32_server: ServerProcess) -> None:
    """The page says of its batch what the server answers; test_node_client.py runs the program."""
    command, output = shown("node")[0]
    texts = re.findall(r'"(.*?)"', command)
    with Client(fp32_server.address) as client:
        assert [client.translate(text).text for text in texts] == output.splitlines()
