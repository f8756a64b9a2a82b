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
RUN = """
import sys, numpy, onnxruntime
model, inputs, outputs = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
numpy.savez(outputs, *session.run(None, {"q": numpy.load(inputs)}))
"""
SUMS = """g (uint8[B, READ] q, int8[READ, GATES] w, uint8 zero) => (int32[B, GATES] y)
{ y = MatMulInteger(q, w, zero) }"""
FLOATS = """g (uint8[B, READ] q, int8[READ, GATES] w, uint8 zero, float one, float[GATES] scale, float[GATES] bias)
=> (float[B, GATES] apart, float[B, GATES] whole)
{
    y = MatMulInteger(q, w, zero)
    floats = Cast <to = 1> (y)
    scaled = Mul(floats, scale)
    apart = Add(scaled, bias)
    whole = com.microsoft.MatMulIntegerToFloat(q, w, one, scale, zero, , bias)
}"""


def run(folder: Path, graph: str, inputs: NDArray[Any], **constants: Any) -> list[NDArray[Any]]:
    """Run a graph over whole numbers with ONNX Runtime on that CPU; all its other inputs are constants."""
    parsed = onnx.parser.parse_graph(graph.replace("READ", str(READ)).replace("GATES", str(GATES)))
    del parsed.input[1:]
    constants |= {"zero": numpy.uint8(ZERO_POINT)}
    for name, constant in constants.items():
        parsed.initializer.append(onnx.numpy_helper.from_array(numpy.asarray(constant), name))
    model, read, given = (folder / name for name in ("model.onnx", "inputs.npy", "outputs.npz"))
    opsets = [onnx.helper.make_opsetid("", 20), onnx.helper.make_opsetid("com.microsoft", 1)]
    onnx.save(onnx.helper.make_model(parsed, opset_imports=opsets, ir_version=10), model)
    numpy.save(read, inputs)
    assert QEMU
    command = [QEMU, "-cpu", "Haswell", sys.executable, "-c", RUN, model, read, given]
    subprocess.run(command, check=True, timeout=240)
    return list(numpy.load(given).values())


@pytest.mark.parametrize(("largest", "exact"), [(LARGEST_WEIGHT, True), (127, False)])
def test_sums_of_7_bit_weights_are_exact(tmp_path: Path, largest: int, exact: bool) -> None:
    """Even the largest ones; those of 8 bits are not, so this is the kind of CPU that it takes."""
    random = numpy.random.default_rng(0)
    extremes, any_numbers = random.choice([0, 255], (ROWS // 2, READ)), random.integers(0, 256, (ROWS // 2, READ))
    inputs = numpy.concatenate([extremes, any_numbers]).astype(numpy.uint8)
    weight = random.choice([-largest, largest], (READ, GATES))
    weight[:, ::2] = random.integers(-largest, largest + 1, (READ, GATES // 2))
    expected = (inputs.astype(int) - ZERO_POINT) @ weight
    (found,) = run(tmp_path, SUMS, inputs, w=weight.astype(numpy.int8))
    assert numpy.array_equal(found, expected) == exact


def test_products_that_scale_what_they_give_have_the_same_bits(tmp_path: Path) -> None:
    """Those of many rows are one operator, those of few several: a row must not show which it was."""
    random = numpy.random.default_rng(0)
    inputs = random.integers(0, 256, (ROWS, READ)).astype(numpy.uint8)
    weight = random.integers(-LARGEST_WEIGHT, LARGEST_WEIGHT + 1, (READ, GATES)).astype(numpy.int8)
    scale, bias = random.normal(size=(2, GATES)).astype(numpy.float32)
    apart, whole = run(tmp_path, FLOATS, inputs, w=weight, one=numpy.float32(1), scale=scale, bias=bias)
    assert numpy.array_equal(apart, whole)
