"""Rewrites that leave fewer nodes leave the numbers, and what somebody else reads."""

from pathlib import Path

import numpy
import onnx
import onnx_ir
import onnxruntime
import pytest

pytestmark = pytest.mark.torch

GRAPH = """g (float[B, 6] x, float[B, 1] y, float[B, 1] z) => ({outputs})
{{
    sizes = Constant <value_ints = [4, 2]> ()
    parts = Constant <value_ints = [1, 3]> ()
    a, b = Split <axis = 1> (x, sizes)
    c, d = Split <axis = 1> (a, parts)
    e = Add (c, y)
    f = Add (z, e)
    g = Add (d, f)
    h = ReduceSum <keepdims = 1> (g)
}}"""


def make(outputs: str) -> onnx_ir.Model:
    """Parse the graph as it is traced: constants are initializers, and shapes are known."""
    parsed = onnx.parser.parse_graph(GRAPH.format(outputs=outputs))
    whole = onnx.helper.make_model(parsed, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    model = onnx_ir.from_proto(onnx.shape_inference.infer_shapes(whole))
    for node in [node for node in model.graph if node.op_type == "Constant"]:
        (value,) = node.outputs
        fixed = onnx_ir.Value(
            name=f"{value.name}_fixed", const_value=onnx_ir.tensor(node.attributes["value_ints"].value)
        )
        model.graph.register_initializer(fixed)
        value.replace_all_uses_with(fixed)
        model.graph.remove(node, safe=True)
    return model


@pytest.mark.parametrize(
    ("outputs", "operators"),
    [
        ("float[B, 3] g, float[B, 2] b", ["Split", "Sum", "Add"]),  # the last sum broadcasts
        ("float[B, 3] g, float[B, 4] a", ["Split", "Split", "Sum", "Add"]),
        ("float[B, 1] e, float[B, 3] g", ["Split", "Add", "Add", "Add"]),
    ],
)
def test_fewer_nodes_give_the_same(tmp_path: Path, outputs: str, operators: list[str]) -> None:
    from export.fewer import shorten

    random = numpy.random.default_rng(0)
    feed = {name: random.normal(size=(5, n)).astype(numpy.float32) for name, n in (("x", 6), ("y", 1), ("z", 1))}
    model, found = make(outputs), []
    for name in ("before.onnx", "after.onnx"):
        onnx_ir.save(model, tmp_path / name)
        session = onnxruntime.InferenceSession(tmp_path / name, providers=["CPUExecutionProvider"])
        found.append(session.run([output.name for output in session.get_outputs()], feed))
        if name == "before.onnx":
            shorten(model)
    assert sorted(node.op_type for node in model.graph) == sorted(operators)
    for one, other in zip(*found, strict=True):
        assert numpy.allclose(one, other, atol=1e-6)
