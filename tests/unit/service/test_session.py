"""Which of a bundle's precisions is served."""

from pathlib import Path

import onnxruntime
import pytest

from service.bundle import Bundle, read_bundle
from service.errors import StartupError
from service.provider import Device
from service.session import choose_precision, cpu_nodes
from tests.server_process import ROOT
from tests.unit.service.test_bundle import in_precision, write


def bundle(folder: Path, *precisions: str) -> Bundle:
    """Write a bundle in these precisions."""

    def change(described: dict[str, list[dict[str, str]]]) -> None:
        graphs = described["graphs"]
        described["graphs"] = [g if p == "fp32" else in_precision(g, p) for p in precisions for g in graphs]

    return read_bundle(write(folder, change))


@pytest.mark.parametrize(
    ("has", "device", "asked", "used"),
    [
        (("fp32", "int8"), "cpu", "auto", "int8"),
        (("fp32", "int8"), "cuda", "auto", "fp32"),
        (("fp32", "fp16", "int8"), "cuda", "auto", "fp16"),
        (("fp32", "fp16", "int8"), "cpu", "auto", "int8"),
        (("fp32",), "cpu", "auto", "fp32"),
        (("int8",), "cuda", "auto", "int8"),
        (("fp32", "int8"), "cpu", "fp32", "fp32"),
        (("fp32", "int8"), "cuda", "int8", "int8"),
    ],
)
def test_precision_is_the_one_asked_for_or_suits_the_device(
    tmp_path: Path, has: tuple[str, ...], device: str, asked: str, used: str
) -> None:
    """Left open, it is int8 on a CPU and fp16 on a GPU, fp32 without these, and what a bundle has in any case."""
    assert choose_precision(asked, Device(device), bundle(tmp_path, *has)) == used


def test_missing_precision_is_refused(tmp_path: Path) -> None:
    """The message says what the bundle has."""
    with pytest.raises(StartupError, match=r"--precision int8: .*xx-yy/1 has fp32 \(use --precision auto"):
        choose_precision("int8", Device("cpu"), bundle(tmp_path, "fp32"))


def test_nodes_on_the_cpu_are_counted() -> None:
    """A session that notes where its nodes are has all of them there."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    path = ROOT / "model_repository" / "en-de" / "1" / "tables.onnx"
    assert cpu_nodes(onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])) > 0
