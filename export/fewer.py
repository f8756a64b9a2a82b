"""Rewrites that leave a graph with fewer nodes for the same numbers: on a GPU each node is a kernel to start."""

import onnx_ir
from onnx_ir.passes.common import RemoveUnusedNodesPass


def shorten(model: onnx_ir.Model) -> None:
    """Merge what splits a part again, and sums of three."""
    for node in list(model.graph):
        if node.op_type == "Split":
            _merge_split(model.graph, node)
    for node in list(model.graph):
        if node.op_type == "Add":
            _merge_sum(model.graph, node)
    RemoveUnusedNodesPass()(model)


def _merge_split(graph: onnx_ir.Graph, inner: onnx_ir.Node) -> None:
    """Let one Split give the parts of a part, where nothing else reads it."""
    part = inner.inputs[0]
    assert part is not None
    outer = part.producer()
    if outer is None or outer.op_type != "Split" or len(part.uses()) > 1 or part.is_graph_output():
        return
    sizes, parts = _sizes(outer), _sizes(inner)
    if sizes is None or parts is None or _axis(outer) != _axis(inner):
        return
    place = list(outer.outputs).index(part)
    given = onnx_ir.Value(
        name=f"{inner.name}/sizes", const_value=onnx_ir.tensor(sizes[:place] + parts + sizes[place + 1 :])
    )
    graph.register_initializer(given)
    read = [*outer.outputs[:place], *inner.outputs, *outer.outputs[place + 1 :]]
    fresh = [onnx_ir.Value(name=value.name, type=value.type, shape=value.shape) for value in read]
    merged = onnx_ir.node("Split", [outer.inputs[0], given], {"axis": _axis(outer)}, outputs=fresh, name=outer.name)
    merged.metadata_props.update(outer.metadata_props)
    graph.insert_before(outer, merged)
    for old, new in zip(read, fresh, strict=True):
        old.replace_all_uses_with(new, replace_graph_outputs=True)
    graph.remove([inner, outer], safe=True)


def _sizes(split: onnx_ir.Node) -> list[int] | None:
    value = split.inputs[1] if len(split.inputs) > 1 else None
    if value is None or value.const_value is None:
        return None
    found: list[int] = value.const_value.numpy().tolist()
    return found


def _axis(split: onnx_ir.Node) -> int:
    return split.attributes.get_int("axis", 0)


def _merge_sum(graph: onnx_ir.Graph, add: onnx_ir.Node) -> None:
    """Let one Sum add three tensors that are all of one shape."""
    for place, value in enumerate(add.inputs):
        assert value is not None
        inner, other = value.producer(), add.inputs[1 - place]
        if inner is None or inner.op_type != "Add" or len(value.uses()) > 1 or value.is_graph_output():
            continue
        terms = [*inner.inputs, other]
        if any(term is None or term.shape is None or term.shape != add.outputs[0].shape for term in terms):
            continue
        total = onnx_ir.node("Sum", terms, name=add.name)
        total.metadata_props.update(add.metadata_props)
        (old,), (new,) = add.outputs, total.outputs
        new.name, new.type, new.shape = old.name, old.type, old.shape
        graph.insert_before(add, total)
        old.replace_all_uses_with(new, replace_graph_outputs=True)
        graph.remove([add, inner], safe=True)
        return
