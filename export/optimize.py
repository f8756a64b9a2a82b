"""Our rewrites of traced graphs; they leave nothing but standard ONNX operators."""

import ast
from collections import Counter
from collections.abc import Collection, Iterator

import numpy
import onnx_ir
import onnx_ir.traversal
from onnx_ir.passes.common import RemoveUnusedNodesPass

from export.trace import WRAPPED, Weights
from export.weights import WeightFile

SCOPES = "pkg.torch.onnx.name_scopes"  # where the exporter notes the modules around a node, as a Python list


def cut(traced: onnx_ir.Model, inputs: Collection[str], outputs: Collection[str]) -> onnx_ir.Model:
    """Copy a graph with these outputs alone, and without the nodes and inputs that others need."""
    model = traced.clone()
    kept = [value for value in model.graph.outputs if value.name in outputs]
    model.graph.outputs.clear()
    model.graph.outputs.extend(kept)
    RemoveUnusedNodesPass()(model)
    for value in [value for value in model.graph.inputs if value.name not in inputs and not value.uses()]:
        model.graph.inputs.remove(value)
    return model


def name_nodes(model: onnx_ir.Model) -> None:
    """Name nodes after the modules they come from, and drop the exporter's notes (they hold paths of this machine)."""
    counts: Counter[str] = Counter()
    for node in onnx_ir.traversal.RecursiveGraphIterator(model.graph):
        scopes = [""] + [s for s in ast.literal_eval(node.metadata_props.get(SCOPES, "[]")) if s.startswith(WRAPPED)]
        name = "/".join(filter(None, (scopes[-1].removeprefix(WRAPPED), node.op_type)))
        counts[name] += 1
        node.name = name if counts[name] == 1 else f"{name}_{counts[name]}"
        node.metadata_props.clear()
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    nodes = onnx_ir.traversal.RecursiveGraphIterator(model.graph)
    results = (value for node in nodes for value in (*node.outputs, *_read_by_bodies(node)))
    for value in (*model.graph.inputs, *model.graph.initializers.values(), *results):
        value.metadata_props.clear()


def _read_by_bodies(node: onnx_ir.Node) -> Iterator[onnx_ir.Value]:
    """List what the bodies of a loop take from it."""
    for attribute in node.attributes.values():
        if attribute.type == onnx_ir.AttributeType.GRAPH:
            yield from attribute.as_graph().inputs


def store_weights(model: onnx_ir.Model, weights: Weights, file: WeightFile) -> None:
    """Turn the weights from inputs into initializers kept in `file`, with a cast behind each that is fp16 there.

    ONNX Runtime casts them once, when it loads.
    """
    graph = model.graph
    for value in [value for value in graph.inputs if value.name in weights]:
        array = weights[str(value.name)]
        graph.inputs.remove(value)
        value.const_value = file.add(str(value.name), array)
        graph.register_initializer(value)
        if value.const_value.dtype == onnx_ir.DataType.FLOAT16 and array.dtype == numpy.float32:
            value.type = onnx_ir.TensorType(onnx_ir.DataType.FLOAT16)
            _cast_back(graph, value)


def _cast_back(graph: onnx_ir.Graph, weight: onnx_ir.Value) -> None:
    """Cast a half-precision weight for its users.

    An embedding is cast behind its Gather: a few rows at every call, instead of a second copy of the largest matrix.
    """
    lookups = [use.node for use in weight.uses() if use.node.op_type == "Gather"]
    for node in lookups:
        rows = node.outputs[0]
        rows.type = weight.type
        cast = _cast(rows)
        rows.replace_all_uses_with(cast.outputs[0])
        cast.replace_input_with(0, rows)
        graph.insert_after(node, cast)
    others = [use for use in weight.uses() if use.node not in lookups]
    if others:
        cast = _cast(weight)
        for use in others:
            use.node.replace_input_with(use.idx, cast.outputs[0])
        graph.insert_before(graph[0], cast)


def _cast(value: onnx_ir.Value) -> onnx_ir.Node:
    result = onnx_ir.Value(name=f"{value.name}.float", type=onnx_ir.TensorType(onnx_ir.DataType.FLOAT))
    attributes = {"to": int(onnx_ir.DataType.FLOAT)}
    return onnx_ir.node("Cast", [value], attributes, outputs=[result], name=f"{value.name}/Cast")
