"""A whole export: the bundle that it writes, and what is left when it is refused."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from export import convert, exporter, scoring
from export.errors import ConversionError, ExportError, ParityError
from export.exporter import Options, export
from export.place import unfinished
from export.restore import RestoreError
from export.trace import trace
from models.checkpoint import RunError
from models.data import DataError
from service.bundle import read_bundle
from service.parts import FP32, INT8, OPTIONAL_ROLES, REQUIRED_ROLES, Limits
from tests.unit.export.factories import make_run
from tests.unit.models.factories import lexicon_pairs, write_tsv

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a run of a model like the one that ships."""
    return make_run(tmp_path_factory.mktemp("exporter") / "run", {"conditional": True})


@pytest.fixture(scope="module")
def options(run: Path) -> Options:
    """Ask for everything that an export can add."""
    card = run.with_name("card.txt")
    card.write_text("a card", encoding="utf-8")
    scored = write_tsv(run.with_name("own") / "test.tsv", lexicon_pairs(6, seed=3))
    limits = Limits(max_source_tokens=50, max_length=40)
    return Options(run, run.with_name("repository") / "en-de", None, True, 9, limits, (scored,), card, card)


@pytest.fixture(scope="module")
def versions(options: Options) -> list[Path]:
    """Export a run in fp32 and in both precisions; what that became again, and in int8 alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert, "trace", trace)  # not as conftest.py has it: a second time gives the same bytes
        folders = [export(options)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "LARGEST_LOSS", {INT8: 100})  # random weights translate by chance
        folders.append(export(replace(options, precisions=(INT8, FP32))))
        for precisions in ((FP32, INT8), (INT8,)):
            folders.append(export(replace(options, run=folders[1], precisions=precisions)))
    return folders


def contents(folder: Path) -> dict[str, bytes]:
    """Read all files of a bundle."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_versions_count_up(options: Options, versions: list[Path]) -> None:
    assert versions == [options.target / str(number) for number in (1, 2, 3, 4)]
    assert sorted(path.name for path in options.target.parent.iterdir()) == ["en-de"]


def test_bundle_exported_again_has_the_same_bytes(versions: list[Path]) -> None:
    """Those of fp32 also beside another precision."""
    single, mixed, again, _ = map(contents, versions)
    assert mixed == again
    del single["manifest.json"]
    assert {name: mixed[name] for name in single} == single


def test_bundle_has_graphs_of_every_precision(versions: list[Path]) -> None:
    """Tables are of fp32 alone, and the golden translations clear-cut in each."""
    fp32, mixed, _, int8 = (read_bundle(folder).manifest for folder in versions)
    assert [manifest.precisions for manifest in (fp32, mixed, int8)] == [(FP32,), (FP32, INT8), (INT8,)]
    integer = {
        "encoder_int8.onnx",
        "step_int8.onnx",
        "step_full_int8.onnx",
        "step_greedy_int8.onnx",
        "step_ahead_int8.onnx",
        "weights_int8.bin",
    }
    assert mixed.files.keys() == fp32.files.keys() | integer
    full = {f"{role}.onnx" for role in (*REQUIRED_ROLES, *OPTIONAL_ROLES)}
    assert int8.files.keys() == integer | {"tables.onnx"} | fp32.files.keys() - full
    assert int8.files["weights.bin"].bytes < mixed.files["weights.bin"].bytes
    assert mixed.files["weights_int8.bin"].bytes < int8.files["weights_int8.bin"].bytes
    for manifest in (mixed, int8):
        assert {graph.precision for graph in manifest.graphs if graph.role == "tables"} == {FP32}
        assert all(tuple(golden.outputs) == manifest.precisions for golden in manifest.golden)
    assert [manifest.architecture.summary.rpartition(", ")[2] for manifest in (mixed, int8)] == [
        "fp32 or int8 products", "int8 products",
    ]  # fmt: skip
    assert "products" not in fp32.architecture.summary


def test_only_int8_cannot_be_exported_again(options: Options, versions: list[Path]) -> None:
    with pytest.raises(RestoreError, match="4: int8 weights cannot be restored: export the run or its fp32 bundle"):
        export(replace(options, run=versions[-1]))


def test_manifest_tells_all(versions: list[Path]) -> None:
    manifest = read_bundle(versions[0]).manifest
    assert (manifest.name, manifest.source_language, manifest.target_language) == ("en-de", "en", "de")
    assert manifest.candidates == 9
    assert manifest.limits == Limits(max_source_tokens=50, max_length=40)
    assert manifest.training_data == ("own/train.tsv",)
    assert manifest.licence == "ours"
    assert manifest.architecture.cell == "gru"
    assert "conditional gru decoder (1 x 27)" in manifest.architecture.summary
    assert len(manifest.golden) == 8
    graphs = {f"{role}.onnx" for role in (*REQUIRED_ROLES, *OPTIONAL_ROLES)}
    assert set(manifest.files) == graphs | {"weights.bin", "vocabulary.model", "ATTRIBUTION.md", "MODEL_CARD.md"}
    assert (versions[0] / "MODEL_CARD.md").read_text(encoding="utf-8") == "a card"
    for name, file in manifest.files.items():
        assert hashlib.sha256((versions[0] / name).read_bytes()).hexdigest() == file.sha256


def test_manifest_has_the_scores_of_each_precision(versions: list[Path]) -> None:
    datasets = ["valid.tsv (in training)", "own/test.tsv", "own/test.tsv (in int8)"]
    assert list(dict.fromkeys(score.dataset for score in read_bundle(versions[1]).manifest.scores)) == datasets
    datasets = ["valid.tsv (in training) (in fp32)", "own/test.tsv"]
    assert list(dict.fromkeys(score.dataset for score in read_bundle(versions[3]).manifest.scores)) == datasets


def test_manifest_has_the_scores(versions: list[Path]) -> None:
    bleu, chrf, *test = read_bundle(versions[0]).manifest.scores
    assert [(score.metric, score.value) for score in (bleu, chrf)] == [("BLEU", 12.3), ("chrF", 34.5)]
    assert {score.dataset for score in (bleu, chrf)} == {"valid.tsv (in training)"}
    assert [score.metric for score in test] == ["BLEU", "chrF"]
    assert {score.dataset for score in test} == {"own/test.tsv"}
    assert all("version:" in score.signature for score in test)


def test_graphs_hold_no_trace_of_this_machine(versions: list[Path]) -> None:
    for graph in versions[0].glob("*.onnx"):
        content = graph.read_bytes()
        assert b"/export/" not in content
        assert b"name_scopes" not in content
        assert b"decoder.readout_input" in content or b"decoder.attention" in content


@pytest.mark.parametrize("error", [ConversionError("no"), KeyboardInterrupt(), MemoryError()])
def test_failed_export_leaves_nothing(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(full: object, models: object, signature: object, half: bool, folder: Path) -> None:
        (folder / "weights.bin").write_bytes(b"half")
        raise error

    monkeypatch.setattr(exporter, "write_graphs", fail)
    with pytest.raises(type(error)):
        export(Options(options.run, tmp_path / "repository" / "en-de"))
    assert not list((tmp_path / "repository").iterdir())


def test_export_without_parity_leaves_nothing(
    versions: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(full: object, models: object, signature: object, half: bool, folder: Path) -> None:
        for path in [*versions[0].glob("*.onnx"), versions[0] / "weights.bin"]:
            (folder / path.name).write_bytes(path.read_bytes())

    monkeypatch.setattr(exporter, "write_graphs", copy)
    other = make_run(tmp_path / "run", {"conditional": True}, seed=1)
    with pytest.raises(ParityError, match=r"keys of the encoder_sequence at B = 1, S = 1 differs from PyTorch by"):
        export(Options(other, tmp_path / "repository" / "en-de", candidates=9))
    assert not list((tmp_path / "repository").iterdir())


def test_refusals_name_the_cause(options: Options, tmp_path: Path) -> None:
    target = tmp_path / "repository" / "en-de"
    with pytest.raises(RunError, match="nowhere is not a training run"):
        export(Options(tmp_path / "nowhere", target))
    with pytest.raises(ExportError, match="--candidates 47: the vocabulary has only 46 pieces"):
        export(Options(options.run, target, candidates=47))
    with pytest.raises(DataError, match=r"cannot read .*missing.tsv"):
        export(Options(options.run, target, scores=(tmp_path / "missing.tsv",)))
    with pytest.raises(ExportError, match=r"cannot copy .*missing.md: No such file"):
        export(Options(options.run, target, card=tmp_path / "missing.md"))
    assert not target.exists()
    with unfinished(target, 3):
        pass
    with pytest.raises(ExportError, match="3 exists: choose another --version"):
        export(Options(options.run, target, version=3))


def test_weight_beyond_half_precision_is_named(options: Options, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    tensors = load_file(run / "best" / "model.safetensors")
    tensors["decoder.bridge.bias"] = torch.full_like(tensors["decoder.bridge.bias"], 1e6)
    save_file(tensors, run / "best" / "model.safetensors")
    with pytest.raises(ConversionError, match=r"decoder.bridge.bias has values up to 1e\+06.*--weights fp32"):
        export(Options(run, tmp_path / "repository" / "en-de"))
