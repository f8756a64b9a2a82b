"""A client in another language has what it needs in the .proto files: the example for Node runs as it is shown."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from seq2serve import Client
from tests.server_process import ROOT, ServerProcess

NPM = ("--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0", "--loglevel=error")
GRPC = "@grpc/grpc-js"
TEXTS = ["Good morning.", "Where is my café?"]
Run: TypeAlias = "subprocess.CompletedProcess[str]"


def execute(*command: str, folder: Path) -> Run:
    """Run a command and return what it said."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def node(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Install the example beside a copy of our .proto files; returns what runs it on texts."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    root = tmp_path_factory.mktemp("node")
    folder = root / "examples" / "node"
    unwanted = shutil.ignore_patterns("node_modules")
    shutil.copytree(ROOT / "examples" / "node", folder, ignore=unwanted)
    shutil.copytree(ROOT / "proto" / "seq2serve", root / "proto" / "seq2serve")
    seen = execute("npm", "view", *NPM, GRPC, "name", folder=folder)
    if seen.returncode:
        pytest.skip(f"npm reaches no registry: {seen.stderr.strip().splitlines()[:1]}")
    installed = execute("npm", "ci", *NPM, folder=folder)
    assert installed.returncode == 0, installed.stderr
    return lambda *texts, address=server.address: execute("node", "translate.mjs", address, *texts, folder=folder)


def test_one_text(node: Callable[..., Run], client: Client) -> None:
    """Translate gives what our own client gets."""
    run = node(TEXTS[1])
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"{client.translate(TEXTS[1]).text}\n"


def test_batch(node: Callable[..., Run], client: Client) -> None:
    """TranslateBatch gives each text its translation or its own status."""
    run = node(TEXTS[0], " ", TEXTS[1])
    assert (run.returncode, run.stderr) == (0, "")
    first, second, third = run.stdout.splitlines()
    assert [first, third] == [client.translate(text).text for text in TEXTS]
    assert second == "INVALID_ARGUMENT empty_source: text: holds nothing to translate"


def test_error(node: Callable[..., Run]) -> None:
    """The status code, the reason and the request's id can be read."""
    run = node(" ")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("INVALID_ARGUMENT empty_source: text: holds nothing to translate (request ")
    assert len(run.stderr.rpartition("(request ")[2].removesuffix(")\n")) == 32
