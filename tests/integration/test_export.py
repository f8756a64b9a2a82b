"""The export command, as its user runs it and as the machine may end it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.bundle import read_bundle
from tests.earlier_bundles import TABLES, unpack

pytest.importorskip("torch")
pytestmark = pytest.mark.torch
ROOT = Path(__file__).parents[2]


def start(*arguments: str | Path) -> "subprocess.Popen[str]":
    """Start the command."""
    return subprocess.Popen(
        [sys.executable, "-m", "export", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_for_weights(repository: Path, process: "subprocess.Popen[str]") -> Path:
    """Wait until an export has written part of its bundle."""
    for _ in range(1200):
        parts = [path.parent for path in repository.glob(".*.part/1/vocabulary.model")]
        if parts:
            return parts[0]
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("the export has written nothing in a minute")


def test_export_ends_whole_or_leaves_nothing(tmp_path: Path) -> None:
    """Of a bundle that an earlier commit wrote, it makes a whole one with the same golden translations."""
    from tests.unit.export.factories import make_run

    old, run = unpack(TABLES, tmp_path / "old"), make_run(tmp_path / "run")
    origins = {"whole": old, "terminated": run, "killed": run}
    exports = {name: start(origin, tmp_path / name / "en-de") for name, origin in origins.items()}
    try:
        for name, number in (("terminated", signal.SIGTERM), ("killed", signal.SIGKILL)):
            wait_for_weights(tmp_path / name, exports[name])
            exports[name].send_signal(number)
        ended = {name: process.communicate(timeout=240) for name, process in exports.items()}
    finally:
        for process in exports.values():
            process.kill()
    output, log = ended["whole"]
    assert exports["whole"].returncode == 0, log
    assert output.splitlines()[-1] == str(tmp_path / "whole" / "en-de" / "1")
    manifest = read_bundle(Path(output.splitlines()[-1])).manifest
    assert manifest.name == "en-de"
    before, after = (
        {golden.source: golden.outputs["fp32"] for golden in one.golden}
        for one in (read_bundle(old).manifest, manifest)
    )
    assert after
    assert after.items() <= before.items()
    assert exports["terminated"].returncode == 128 + signal.SIGTERM
    assert not list((tmp_path / "terminated").iterdir())
    assert exports["killed"].returncode == -signal.SIGKILL
    assert [path.name[0] for path in (tmp_path / "killed").iterdir()] == ["."]


def test_refusal_is_one_line_without_traceback(tmp_path: Path) -> None:
    process = start(tmp_path / "nowhere", tmp_path / "repository" / "en-de")
    output, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert output == ""
    assert log.startswith(f"error: {tmp_path}/nowhere is not a training run")
    assert "Traceback" not in log
