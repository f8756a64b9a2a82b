"""The example for Node, as whoever follows its README has it."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.server_process import ROOT

NPM = ("--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0", "--loglevel=error")
GRPC = "@grpc/grpc-js"
Run: TypeAlias = "subprocess.CompletedProcess[str]"


def execute(*command: str, folder: Path) -> Run:
    """Run a command and return what it said."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)


def install(root: Path) -> Callable[..., Run]:
    """Install the example beside a copy of our .proto files; returns what runs it with an address and texts.

    Skips the test where there is no Node or no registry.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    folder = root / "examples" / "node"
    unwanted = shutil.ignore_patterns("node_modules")
    shutil.copytree(ROOT / "examples" / "node", folder, ignore=unwanted)
    shutil.copytree(ROOT / "proto" / "seq2serve", root / "proto" / "seq2serve")
    seen = execute("npm", "view", *NPM, GRPC, "name", folder=folder)
    if seen.returncode:
        pytest.skip(f"npm reaches no registry: {seen.stderr.strip().splitlines()[:1]}")
    installed = execute("npm", "ci", *NPM, folder=folder)
    assert installed.returncode == 0, installed.stderr
    return lambda address, *texts: execute("node", "translate.mjs", address, *texts, folder=folder)
