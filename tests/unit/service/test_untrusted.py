"""A bundle is data: nothing in it runs but the graphs' own operators, whatever somebody has put there."""

import hashlib
import json
import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from service.bundle import Bundle, read_bundle
from service.errors import BundleError
from service.provider import Device
from service.session import open_session
from service.vocabulary import Vocabulary
from tests.server_process import ROOT

REPOSITORY = ROOT / "model_repository"
RUNS_WHAT_IT_LOADS = re.compile(
    r"\b(from pickle\b|pickle\.(?!UnpicklingError)|allow_pickle(?!=False)|torch\.load\((?![^)]*weights_only=True)"
    r"|(cloudpickle|dill|joblib|shelve|marshal|register_custom_ops\w*)\b)"
)


class Trap:
    """Unpickled, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self._folder),)


def replaced(folder: Path, name: str, content: bytes) -> Bundle:
    """Return a copy of the bundled model whose file has other content, listed as if it belonged there."""
    path = folder / "en-de" / "1"
    shutil.copytree(REPOSITORY / "en-de" / "1", path)
    (path / name).write_bytes(content)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (path / "manifest.json").write_text(json.dumps(manifest))
    return read_bundle(path)


def test_a_pickle_is_no_graph(tmp_path: Path) -> None:
    """It is refused by name, and not unpickled."""
    bundle = replaced(tmp_path, "encoder.onnx", pickle.dumps(Trap(tmp_path / "trapped")))
    with pytest.raises(BundleError, match=r"encoder\.onnx: ONNX Runtime cannot load it"):
        open_session(bundle, bundle.manifest.graph("encoder", "fp32"), Device("cpu"), 1)
    assert not (tmp_path / "trapped").exists()


def test_a_pickle_is_no_vocabulary(tmp_path: Path) -> None:
    """It is refused by name, and not unpickled."""
    bundle = replaced(tmp_path, "vocabulary.model", pickle.dumps(Trap(tmp_path / "trapped")))
    with pytest.raises(BundleError, match=r"vocabulary\.model: is not a SentencePiece model"):
        Vocabulary(bundle.file("vocabulary.model"), bundle.manifest.vocabulary.size)
    assert not (tmp_path / "trapped").exists()


def test_an_operator_of_another_domain_is_refused(tmp_path: Path) -> None:
    """ONNX Runtime knows its own operators alone, and the message names the one that it does not."""
    onnx = pytest.importorskip("onnx", reason="onnx, which changes the test's graph, is not installed")
    graph = onnx.load(REPOSITORY / "en-de" / "1" / "encoder.onnx", load_external_data=False)
    graph.opset_import.add(domain="elsewhere", version=1)
    graph.graph.node.add(
        op_type="Fetch", domain="elsewhere", input=[graph.graph.input[0].name], output=["fetched"], name="fetch"
    )
    bundle = replaced(tmp_path, "encoder.onnx", graph.SerializeToString())
    with pytest.raises(BundleError, match=r"encoder\.onnx: ONNX Runtime cannot load it: .*Fetch"):
        open_session(bundle, bundle.manifest.graph("encoder", "fp32"), Device("cpu"), 1)


def test_weights_outside_of_the_bundle_are_refused(tmp_path: Path) -> None:
    """A graph cannot read a file of the machine as if it were its weights."""
    onnx = pytest.importorskip("onnx", reason="onnx, which changes the test's graph, is not installed")
    graph = onnx.load(REPOSITORY / "en-de" / "1" / "encoder.onnx", load_external_data=False)
    shutil.copy(REPOSITORY / "en-de" / "1" / "weights.bin", tmp_path / "outside.bin")
    moved = [entry for tensor in graph.graph.initializer for entry in tensor.external_data if entry.key == "location"]
    assert moved
    for entry in moved:
        entry.value = "../../outside.bin"
    bundle = replaced(tmp_path, "encoder.onnx", graph.SerializeToString())
    with pytest.raises(BundleError, match=r"encoder\.onnx: ONNX Runtime cannot load it: .*outside\.bin"):
        open_session(bundle, bundle.manifest.graph("encoder", "fp32"), Device("cpu"), 1)


@pytest.mark.parametrize("program", ["service", "export", "models"])
def test_nothing_loads_what_could_run(program: str) -> None:
    """No module names a loader that runs what it loads, or registers operators of its own."""
    files = {file: RUNS_WHAT_IT_LOADS.findall(file.read_text("utf-8")) for file in (ROOT / program).rglob("*.py")}
    files.pop(ROOT / "models" / "checkpoint.py", None)  # says that it does not; its own tests look closer
    files.pop(ROOT / "service" / "core" / "wire.py", None)  # between our own processes: nobody else has these sockets
    assert files
    assert {file.name: found for file, found in files.items() if found} == {}
