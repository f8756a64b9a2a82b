"""Products that scale and shift what they give leave the bits, and what somebody else reads."""

from pathlib import Path

import numpy
import onnx
import onnx_ir
import onnxruntime
import pytest

pytestmark = pytest.mark.torch

READ, GATES = 64, 48
WEIGHTS = ("weight", "scale", "bias")
GRAPH = """g (uint8[B, {read}] q, float[{gates}] other, int8[{read}, {gates}] weight, float[{gates}] scale,
float[{gates}] bias) => (float[B, {gates}] y, {also})
{{
    zero = Constant <value = uint8 {{128}}> ()
    sums = MatMulInteger (q, weight, zero)
    floats = Cast <to = 1> (sums)
    scaled = Mul (floats, {scale})
    shifted = Add ({bias}, scaled)
    y = Tanh (shifted)
}}"""
FUSED, APART = "MatMulIntegerToFloat", "MatMulInteger"


def make(scale: str, bias: str, also: str) -> onnx_ir.Model:
    """Parse the graph as it is traced: weights are inputs, and constants initializers."""
    parsed = onnx.parser.parse_graph(GRAPH.format(read=READ, gates=GATES, scale=scale, bias=bias, also=also))
    model = onnx_ir.from_proto(onnx.helper.make_model(parsed, opset_imports=[onnx.helper.make_opsetid("", 20)]))
    model.ir_version = 10
    (constant,) = (node for node in model.graph if node.op_type == "Constant")
    zero = onnx_ir.Value(name="zero_point", const_value=onnx_ir.tensor(numpy.array(128, numpy.uint8)))
    model.graph.register_initializer(zero)
    constant.outputs[0].replace_all_uses_with(zero)
    model.graph.remove(constant, safe=True)
    return model


@pytest.mark.parametrize(
    ("scale", "bias", "also", "operators"),
    [
        ("scale", "bias", "int64 n", [FUSED, "Tanh"]),
        ("scale", "other", "int64 n", [FUSED, "Add", "Tanh"]),
        ("scale", "bias", "float[B, 48] scaled", [FUSED, "Add", "Tanh"]),
        ("other", "bias", "int64 n", [APART, "Cast", "Mul", "Add", "Tanh"]),
        ("scale", "bias", "int32[B, 48] sums", [APART, "Cast", "Mul", "Add", "Tanh"]),
    ],
    ids=["all", "sum of no bias", "read before the bias", "scaled by no weight", "read before the scale"],
)
@pytest.mark.parametrize("rows", [1, 5, 40])
def test_bits_are_the_same(tmp_path: Path, rows: int, scale: str, bias: str, also: str, operators: list[str]) -> None:
    from export.fused import fuse

    random = numpy.random.default_rng(0)
    feed = {name: random.normal(size=GATES).astype(numpy.float32) for name in ("other", "scale", "bias")}
    feed |= {"q": random.integers(0, 256, (rows, READ), numpy.uint8)}
    feed |= {"weight": random.integers(-64, 65, (READ, GATES), numpy.int8)}
    model, found = make(scale, bias, also), []
    if also == "int64 n":  # nothing else is given
        model.graph.outputs.pop()
    for name in ("before.onnx", "after.onnx"):
        onnx_ir.save(model, tmp_path / name)
        session = onnxruntime.InferenceSession(tmp_path / name, providers=["CPUExecutionProvider"])
        read = {value.name for value in session.get_inputs()}
        outputs = [value.name for value in session.get_outputs()]
        found.append(session.run(outputs, {name: array for name, array in feed.items() if name in read}))
        if name == "before.onnx":
            fuse(model, WEIGHTS)
    assert [node.op_type for node in model.graph] == operators
    for one, other in zip(*found, strict=True):
        assert numpy.array_equal(one, other)
