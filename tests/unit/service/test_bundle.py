"""A bundle is served only if every byte is what the manifest says."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.bundle import read_bundle
from service.errors import BundleError


def tensor(name: str, kind: str, *shape: int | str) -> dict[str, Any]:
    """Describe a tensor as a manifest does."""
    return {"name": name, "type": kind, "shape": list(shape)}


def manifest(files: dict[str, bytes]) -> dict[str, Any]:
    """Make a manifest that pins the given files."""
    memory, state = tensor("keys", "float32", "B", "S", 4), tensor("hidden_0", "float32", "B", "W", 4)
    lengths, alignment = tensor("source_lengths", "int64", "B"), tensor("alignment", "float32", "B", "W", "S")
    previous, parents = tensor("previous_ids", "int64", "B", "W"), tensor("parents", "int64", "B", "W")
    following = tensor("next_hidden_0", "float32", "B", "W", 4)
    candidates = [
        tensor("candidate_ids", "int64", "B", "W", "C"),
        tensor("candidate_log_probabilities", "float32", "B", "W", "C"),
    ]
    step_inputs = [previous, parents, state, memory, lengths]
    said = {"ids": [6], "text": "b"}
    graphs = [
        (
            "encoder",
            [tensor("source_ids", "int64", "B", "S"), lengths],
            [memory, tensor("hidden_0", "float32", "B", 4)],
        ),
        ("step", step_inputs, [*candidates, following, alignment]),
        ("step_full", step_inputs, [tensor("log_probabilities", "float32", "B", "W", "V"), following, alignment]),
    ]
    return {
        "format_version": 1,
        "name": "xx-yy",
        "producer": "a test",
        "source_language": "xx",
        "target_language": "yy",
        "architecture": {"cell": "gru", "attention": "additive", "parameters": 1},
        "special_ids": {"pad": 0, "unk": 1, "bos": 2, "eos": 3},
        "vocabulary": {"file": "vocabulary.model", "size": 8},
        "limits": {"max_source_tokens": 16, "max_length": 16},
        "candidates": 4,
        "state": [state],
        "memory": [memory],
        "graphs": [
            {"name": role, "role": role, "precision": "fp32", "file": f"{role}.onnx", "inputs": i, "outputs": o}
            for role, i, o in graphs
        ],
        "files": {n: {"bytes": len(b), "sha256": hashlib.sha256(b).hexdigest()} for n, b in files.items()},
        "golden": [
            {"source": "a", "source_ids": [5], "outputs": dict.fromkeys(("fp32", "fp16", "int8"), said), "margin": 1.0}
        ],
    }


def write(folder: Path, change: Callable[[dict[str, Any]], object] = lambda m: None) -> Path:
    """Write a bundle whose manifest went through `change`."""
    files = {name: name.encode() for name in ("encoder.onnx", "step.onnx", "step_full.onnx", "vocabulary.model")}
    path = folder / "xx-yy" / "1"
    path.mkdir(parents=True)
    for name, content in files.items():
        (path / name).write_bytes(content)
    described = manifest(files)
    change(described)
    (path / "manifest.json").write_text(json.dumps(described))
    return path


def test_good_bundle_is_read(tmp_path: Path) -> None:
    """The version is the folder's name, and the digest covers all files."""
    bundle = read_bundle(write(tmp_path))
    assert (bundle.version, bundle.manifest.name) == (1, "xx-yy")
    assert bundle.manifest.digest().startswith("sha256:")


def test_tables_are_declared_and_made(tmp_path: Path) -> None:
    """A graph may read tables that the manifest declares, if another graph makes them and they are of all pieces."""
    table = tensor("target_table", "float32", 8, 6)

    def declare(described: dict[str, Any], shape: tuple[Any, ...] = (8, 6), made: bool = True) -> None:
        described["tables"] = [{**table, "shape": list(shape)}]
        for graph in described["graphs"][1:]:
            graph["inputs"] = [*graph["inputs"], table]
        rows = [tensor("target_table", "float32", "B", 6)]
        made_by = {"role": "tables", "inputs": [tensor("piece_ids", "int64", "B")], "outputs": rows}
        if made:
            described["graphs"].append({**described["graphs"][0], **made_by})

    assert read_bundle(write(tmp_path / "whole", declare)).manifest.has("tables")
    for number, (shape, made, why) in enumerate([
        ((7, 6), True, r"table 'target_table' has shape \(7, 6\), \(8, \*\) expected"),
        ((8, "S"), True, r"table 'target_table' has shape \(8, 'S'\)"),
        ((8, 6), False, "there are tables, but no graph has the role 'tables'"),
    ]):  # fmt: skip
        with pytest.raises(BundleError, match=why):
            read_bundle(write(tmp_path / str(number), lambda d, s=shape, m=made: declare(d, s, m)))  # type: ignore[misc]


def test_unknown_role_and_field_are_ignored(tmp_path: Path) -> None:
    """A newer writer may add graphs and fields within a format version."""

    def add(described: dict[str, Any]) -> None:
        described["graphs"].append({**described["graphs"][1], "name": "new", "role": "step_unrolled_4"})
        described["something"] = "new"

    assert len(read_bundle(write(tmp_path, add)).manifest.graphs) == 4


def with_choices(described: dict[str, Any]) -> None:
    """Add graphs that choose by themselves, and an encoder by recurrent operators."""
    encoder, step, _ = described["graphs"]
    ids, totals = tensor("next_ids", "int64", "B", "W"), tensor("totals", "float64", "B", "W")
    chosen = [ids, tensor("next_parents", "int64", "B", "W"), tensor("next_totals", "float64", "B", "W")]
    changes = {
        "step_select": {"outputs": [ids, *step["outputs"][2:]]},
        "step_beam": {"inputs": [*step["inputs"], totals], "outputs": [*step["outputs"], *chosen]},
    }
    described["graphs"] += [{**step, "name": role, "role": role, **change} for role, change in changes.items()]
    described["graphs"].append({**encoder, "name": "encoder_sequence", "role": "encoder_sequence"})
    several = [tensor("ahead_ids", "int64", "N", "B", "W"), tensor("ahead_logits", "float32", "N", "B", "W")]
    following = [output for output in step["outputs"] if output["name"].startswith("next_")]
    ahead = {"inputs": [*step["inputs"], tensor("steps", "int64")], "outputs": [*several, *following]}
    described["graphs"].append({**step, "name": "step_ahead", "role": "step_ahead", **ahead})


def test_graphs_that_choose_are_read(tmp_path: Path) -> None:
    """They are optional, and known."""
    manifest = read_bundle(write(tmp_path, with_choices)).manifest
    assert all(manifest.has(role, "fp32") for role in ("step_select", "step_beam", "encoder_sequence", "step_ahead"))
    assert not read_bundle(write(tmp_path / "none")).manifest.has("step_select")


SELECT, BEAM, SEQUENCE, AHEAD = 3, 4, 5, 6


@pytest.mark.parametrize(
    ("graph", "side", "change", "why"),
    [
        (SELECT, "outputs", lambda found: found.pop(0), "'step_select' has outputs"),
        (SELECT, "inputs", lambda found: found.append(tensor("totals", "float64", "B", "W")), "has inputs"),
        (
            SELECT,
            "outputs",
            lambda found: found[0].update(type="float32"),
            "next_ids is float32 .*int64 .B, W. expected",
        ),
        (SELECT, "outputs", lambda found: found[0].update(shape=["B"]), r"next_ids is int64 \('B',\), int64 .B, W."),
        (BEAM, "inputs", lambda found: found.pop(), "'step_beam' has inputs"),
        (BEAM, "inputs", lambda found: found[-1].update(type="float32"), "totals is float32 .*float64 .B, W. expected"),
        (BEAM, "outputs", lambda found: found[0].update(shape=["B", "W", 5]), "candidate_ids has shape .*B, W, 4"),
        (BEAM, "outputs", lambda found: found[-1].update(shape=["B", "S"]), "next_totals is float64 .*B, W. expected"),
        (BEAM, "outputs", lambda found: found.pop(-2), "'step_beam' has outputs"),
        (
            SELECT,
            "outputs",
            lambda found: found[1].update(shape=["C", "W", 4]),
            r"next_hidden_0 has shape \('C', 'W', 4\)",
        ),
        (SEQUENCE, "outputs", lambda found: found[1].update(shape=["B", "S", 4]), "hidden_0 has shape .*manifest says"),
        (SEQUENCE, "outputs", lambda found: found.pop(), "'encoder_sequence' has outputs"),
        (SEQUENCE, "inputs", lambda found: found.pop(), "'encoder_sequence' has inputs"),
        (AHEAD, "inputs", lambda found: found.pop(), "'step_ahead' has inputs"),
        (AHEAD, "inputs", lambda found: found[-1].update(shape=["B"]), r"steps is int64 \('B',\), int64 \(\) expected"),
        (AHEAD, "outputs", lambda found: found.pop(1), "'step_ahead' has outputs"),
        (
            AHEAD,
            "outputs",
            lambda found: found[0].update(shape=["B", "W"]),
            r"ahead_ids is .*int64 \(N, B, W\) expected",
        ),
        (
            AHEAD,
            "outputs",
            lambda found: found[1].update(type="float64"),
            r"ahead_logits is float64 .*float32 \(N, B, W",
        ),
    ],
)
def test_graph_that_chooses_otherwise_is_refused(
    tmp_path: Path, graph: int, side: str, change: Callable[[list[Any]], object], why: str
) -> None:
    """Its tensors are those that a runner would bind, by name, type and shape."""

    def damage(described: dict[str, Any]) -> None:
        with_choices(described)
        described["graphs"] = json.loads(json.dumps(described["graphs"]))  # graphs share no list any more
        change(described["graphs"][graph][side])

    with pytest.raises(BundleError, match=why):
        read_bundle(write(tmp_path, damage))


def in_precision(graph: dict[str, Any], precision: str) -> dict[str, Any]:
    """Describe a graph again, of another precision."""
    return {**graph, "name": f"{graph['role']}_{precision}", "precision": precision}


def test_graph_is_found_by_role_and_precision(tmp_path: Path) -> None:
    """A precision counts if every required role has a graph of it; who names none takes what comes first."""

    def add(described: dict[str, Any], roles: tuple[str, ...]) -> None:
        described["graphs"] += [in_precision(graph, "int8") for graph in described["graphs"] if graph["role"] in roles]

    single = read_bundle(write(tmp_path / "single")).manifest
    part = read_bundle(write(tmp_path / "part", lambda m: add(m, ("encoder", "step")))).manifest
    both = read_bundle(write(tmp_path / "both", lambda m: add(m, ("encoder", "step", "step_full")))).manifest
    assert [manifest.precisions for manifest in (single, part, both)] == [("fp32",), ("fp32",), ("fp32", "int8")]
    assert both.graph("step", "int8").name == "step_int8"
    assert both.graph("step", "fp32") == both.graph("step") == single.graph("step")
    assert part.has("step", "int8")
    assert not part.has("step_full", "int8")


@pytest.mark.parametrize("name", ["encoder.onnx", "vocabulary.model"])
def test_missing_file_is_named(tmp_path: Path, name: str) -> None:
    """The message names the file that is gone."""
    path = write(tmp_path)
    (path / name).unlink()
    with pytest.raises(BundleError, match=rf"{name}: cannot be read \(No such file"):
        read_bundle(path)


def test_altered_file_is_named(tmp_path: Path) -> None:
    """A byte that changed is found, whether or not the size did."""
    path = write(tmp_path)
    (path / "step.onnx").write_bytes(b"step.onnX")
    with pytest.raises(BundleError, match=r"step\.onnx: has SHA-256"):
        read_bundle(path)
    (path / "step.onnx").write_bytes(b"step")
    with pytest.raises(BundleError, match=r"step\.onnx: has 4 bytes, the manifest says 9"):
        read_bundle(path)


def test_unknown_format_version_says_what_to_do(tmp_path: Path) -> None:
    """Another format is refused before anything else is looked at."""
    with pytest.raises(
        BundleError, match=r"format version 99; this server reads 1: .*python -m export RUN \S+/xx-yy\)"
    ):
        read_bundle(write(tmp_path, lambda m: m.update(format_version=99, name=3)))


def test_manifest_that_is_none(tmp_path: Path) -> None:
    """Missing, empty and foreign manifests are refused by name."""
    path = write(tmp_path)
    for content in (b"", b"[]", b"\xff\xfe", b'{"name": "x"}'):
        (path / "manifest.json").write_bytes(content)
        with pytest.raises(BundleError, match=r"manifest\.json: is not a manifest"):
            read_bundle(path)
    (path / "manifest.json").unlink()
    with pytest.raises(BundleError, match=r"manifest\.json: cannot be read"):
        read_bundle(path)


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no step": (lambda m: m["graphs"].pop(1), "no graph has the required role 'step'"),
    "no whole precision": (
        lambda m: m["graphs"].append(in_precision(m["graphs"].pop(1), "int8")),
        "no precision has a graph for each of the required roles encoder, step, step_full",
    ),
    "unlisted file": (lambda m: m["files"].pop("step.onnx"), "'step.onnx' is used but not listed"),
    "path outside": (
        lambda m: m["files"].update({"../../etc/passwd": m["files"]["step.onnx"]}),
        "not a plain file name inside the bundle",
    ),
    "missing tensor": (lambda m: m["graphs"][1]["outputs"].pop(), "graph 'step' has outputs"),
    "state shape": (lambda m: m["state"][0].update(shape=["B", 4]), "state tensor 'hidden_0' has shape"),
    "memory shape": (lambda m: m["memory"][0].update(shape=["B", "W", 4]), "memory tensor 'keys' has shape"),
    "no golden": (lambda m: m.update(golden=[]), "golden"),
    "name": (lambda m: m.update(name="../x"), "name"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_inconsistent_manifest_is_refused(tmp_path: Path, case: str) -> None:
    """The reason names what does not fit."""
    change, message = CHANGES[case]
    with pytest.raises(BundleError, match=message):
        read_bundle(write(tmp_path, change))


def test_folder_must_be_a_version(tmp_path: Path) -> None:
    """A folder whose name is no number is no version."""
    path = write(tmp_path)
    with pytest.raises(BundleError, match="the folder's name is the version"):
        read_bundle(path.rename(path.parent / "latest"))
