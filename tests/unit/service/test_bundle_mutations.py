"""A damaged or hostile bundle is refused by name, at once, and before it can take memory."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service.manifest import MANIFEST

ROOT = Path(__file__).parents[3]
BUNDLE = ROOT / "model_repository" / "en-de" / "1"
READING = 600 << 20  # bytes of address space; an interpreter with pydantic takes a third
LOADING = 6 << 30  # bytes of address space that ONNX Runtime may take
LONGEST = 3000  # characters of a message
# What no digest covers, as it says what is served and not what is computed; golden translations are replayed.
FACTS = {"name", "producer", "description", "source_language", "target_language", "architecture", "limits", "golden"}
FACTS |= {"training_data", "licence", "scores"}


def run(module: str, folder: Path, memory: int) -> str:
    """Run one of the modules that change the bundled model, in a process that has little memory; returns its output."""
    done = subprocess.run(
        [sys.executable, "-m", module, str(BUNDLE), str(folder), str(memory)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, f"{done.stdout[-1000:]} {done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Read every mutation of the bundled model."""
    output = run("tests.bundle_mutations", tmp_path_factory.mktemp("bundles"), READING)
    return [json.loads(line) for line in output.splitlines()]


def test_every_mutation_is_refused_for_its_reason(outcomes: list[dict[str, Any]]) -> None:
    """The message names the file, and says what is wrong with it and nothing longer."""
    assert len(outcomes) >= 3000
    assert [one for one in outcomes if one["refusal"] and not re.search(one["refusal"], one["said"])] == []
    assert [one["name"] for one in outcomes if len(one["said"]) > LONGEST] == []


def test_what_is_read_computes_the_same(outcomes: list[dict[str, Any]]) -> None:
    """A bit of the manifest that passes changed a fact, or took a graph away that speeds things up."""
    whole = json.loads((BUNDLE / MANIFEST).read_bytes())
    read = [(one["name"], json.loads(one["read"])) for one in outcomes if one["read"]]
    assert 0 < len([name for name, _ in read if not name.startswith("architecture.options.")]) < 100
    for name, manifest in read:
        assert {key for key in whole if manifest[key] != whole[key]} <= FACTS | {"graphs"}, name
        known = {(graph["role"], graph["precision"]): graph for graph in whole["graphs"]}
        for graph in manifest["graphs"]:
            expected = known.get((graph["role"], graph["precision"]), graph)
            assert {**graph, "name": ""} == {**expected, "name": ""}, name


def test_forged_bundles_are_refused_or_prove_themselves(tmp_path: Path) -> None:
    """Right digests are not enough: what loads translates the golden sentences by every graph, and nothing crashes."""
    lines = [json.loads(line) for line in run("tests.bundle_forgeries", tmp_path, LOADING).splitlines()]
    found = {
        named["name"]: (named["refusal"], said["said"]) for named, said in zip(lines[::2], lines[1::2], strict=True)
    }
    assert len(found) >= 50
    assert found["nothing changed"][1] == ""
    assert {name: pair for name, pair in found.items() if pair[0] and not re.search(*pair)} == {}
