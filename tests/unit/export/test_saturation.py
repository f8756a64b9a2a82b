"""Sums of int8 products on a CPU that adds pairs of products in 16 bits, which qemu is: a Haswell has no VNNI."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
from numpy.typing import NDArray

from export.quantized import LARGEST_WEIGHT, ZERO_POINT

QEMU = shutil.which("qemu-x86_64")
pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(QEMU is None, reason="qemu-x86_64 is not installed (Debian package qemu-user)"),
]
ROWS, READ, GATES = 16, 512, 3 * 256
MULTIPLY = """
import sys, numpy, onnxruntime
model, inputs, sums = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
numpy.save(sums, session.run(["y"], {"q": numpy.load(inputs)})[0])
"""


def multiply(folder: Path, inputs: NDArray[Any], weight: NDArray[Any]) -> NDArray[Any]:
    """Multiply whole numbers with ONNX Runtime on that CPU."""
    graph = onnx.parser.parse_graph(
        f"""g (uint8[B, {READ}] q, int8[{READ}, {GATES}] w, uint8 zero) => (int32[B, {GATES}] y)
        {{ y = MatMulInteger(q, w, zero) }}"""
    )
    del graph.input[1:]
    constants = {"w": weight.astype(numpy.int8), "zero": numpy.array(ZERO_POINT, numpy.uint8)}
    graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in constants.items())
    model, read, sums = (folder / name for name in ("model.onnx", "inputs.npy", "sums.npy"))
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10), model)
    numpy.save(read, inputs)
    assert QEMU
    command = [QEMU, "-cpu", "Haswell", sys.executable, "-c", MULTIPLY, model, read, sums]
    subprocess.run(command, check=True, timeout=240)
    found: NDArray[Any] = numpy.load(sums)
    return found


@pytest.mark.parametrize(("largest", "exact"), [(LARGEST_WEIGHT, True), (127, False)])
def test_sums_of_7_bit_weights_are_exact(tmp_path: Path, largest: int, exact: bool) -> None:
    """Even the largest ones; those of 8 bits are not, so this is the kind of CPU that it takes."""
    random = numpy.random.default_rng(0)
    extremes, any_numbers = random.choice([0, 255], (ROWS // 2, READ)), random.integers(0, 256, (ROWS // 2, READ))
    inputs = numpy.concatenate([extremes, any_numbers]).astype(numpy.uint8)
    weight = random.choice([-largest, largest], (READ, GATES))
    weight[:, ::2] = random.integers(-largest, largest + 1, (READ, GATES // 2))
    expected = (inputs.astype(int) - ZERO_POINT) @ weight
    assert numpy.array_equal(multiply(tmp_path, inputs, weight), expected) == exact
