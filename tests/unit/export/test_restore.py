"""Which bundles are refused as the origin of an export.

test_graphs.py restores every kind of model, test_exporter.py exports a restored one.
"""

import hashlib
import json
import shutil
from pathlib import Path

import onnx
import pytest

from export.restore import RestoreError, restore
from service.errors import BundleError
from tests.earlier_bundles import TABLES, unpack

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack a bundle that no test may change: an earlier one, as nothing here needs an export of its own."""
    return unpack(TABLES, tmp_path_factory.mktemp("restore"))


def rewrite(bundle: Path, name: str, content: bytes) -> None:
    """Replace a file of a bundle, and pin it in the manifest."""
    (bundle / name).write_bytes(content)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (bundle / "manifest.json").write_text(json.dumps(manifest))


def copy(bundle: Path, folder: Path) -> Path:
    """Copy a bundle, to be damaged."""
    return Path(shutil.copytree(bundle, folder / "1"))


def test_vocabulary_comes_with_the_model(bundle: Path) -> None:
    """The tokenizer is the bundle's."""
    tokenizer, model = restore(bundle)
    assert len(tokenizer) == model.output.out_features == 46


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        (
            (18, 3),
            r"weight decoder.attention.query.weight of the bundle has shape \(3, 18\), the model needs \(12, 27\)",
        ),
        (None, r"weight decoder.attention.query.weight of the bundle has shape none, the model needs \(12, 27\)"),
    ],
)
def test_weight_that_does_not_fit_is_named(
    bundle: Path, tmp_path: Path, shape: tuple[int, ...] | None, why: str
) -> None:
    """A weight of another shape, or none, is refused by its name and shapes."""
    damaged = copy(bundle, tmp_path)
    graph = onnx.load(damaged / "step_full.onnx", load_external_data=False)
    (tensor,) = [one for one in graph.graph.initializer if one.name == "decoder.attention.query.weight"]
    if shape is None:
        tensor.name = "decoder.unheard_of.weight"
    else:
        tensor.dims[:] = shape
        tensor.external_data[2].value = str(2 * shape[0] * shape[1])
    rewrite(damaged, "step_full.onnx", graph.SerializeToString())
    with pytest.raises(RestoreError, match=why):
        restore(damaged)


def test_graph_without_our_names_is_refused(bundle: Path, tmp_path: Path) -> None:
    """A bundle that another program made is told from one of ours."""
    damaged = copy(bundle, tmp_path)
    graph = onnx.load(damaged / "encoder.onnx", load_external_data=False)
    (tensor,) = [one for one in graph.graph.initializer if one.name == "encoder.layers.0.0.recurrent.weight"]
    tensor.name = "another"
    rewrite(damaged, "encoder.onnx", graph.SerializeToString())
    with pytest.raises(RestoreError, match=r"no weight encoder.layers.0.0.recurrent.weight, as those of foreign"):
        restore(damaged)


def test_other_weights_are_noticed(bundle: Path, tmp_path: Path) -> None:
    """Weights that do not translate the golden sentences as the manifest says are refused."""
    damaged = copy(bundle, tmp_path)
    rewrite(damaged, "weights.bin", bytes(reversed((bundle / "weights.bin").read_bytes()[:-4096])) + bytes(4096))
    with pytest.raises(RestoreError, match="does not translate the golden sentences"):
        restore(damaged)


def test_damaged_bundle_is_refused(bundle: Path, tmp_path: Path) -> None:
    """A file that differs from the manifest is an error of the bundle."""
    damaged = copy(bundle, tmp_path)
    (damaged / "weights.bin").write_bytes(b"")
    with pytest.raises(BundleError, match="has 0 bytes"):
        restore(damaged)
