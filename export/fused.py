"""Integer products that scale and shift what they give, by an operator of ONNX Runtime's own.

Three operators less read and write all that a product gives, which is most where there are many rows.
"""

from collections.abc import Collection

import numpy
import onnx_ir
from onnx_ir import Node, Value

DOMAIN, OPERATOR = "com.microsoft", "MatMulIntegerToFloat"
PRODUCT = "MatMulInteger"
ONE = "one"


def fuse(model: onnx_ir.Model, weights: Collection[str]) -> None:
    """Let every product of whole numbers give float ones: its cast, scale and bias, where it has one, are in it.

    `weights` are the names of those inputs that are weights, as scales and biases are. The numbers are the same bits.
    """
    graph = model.graph
    for product in [node for node in graph if node.op_type == PRODUCT]:
        chain, constants = [product], list[Value]()
        for kind in ("Cast", "Mul", "Add"):
            node = _reader(chain[-1], kind)
            weight = None if node is None else _weight(node, weights)
            if node is None or (weight is None and kind != "Cast"):
                break
            chain.append(node)
            constants += [weight] if weight is not None else []
        if constants:
            _replace(graph, chain, *constants)
    model.opset_imports[DOMAIN] = 1


def _reader(node: Node, kind: str) -> Node | None:
    """Return what reads the result of a node, where that is one node of a kind and nothing else."""
    (result,) = node.outputs
    readers = [use.node for use in result.uses()]
    return readers[0] if len(readers) == 1 and readers[0].op_type == kind and not result.is_graph_output() else None


def _weight(node: Node, weights: Collection[str]) -> Value | None:
    """Return which of a node's inputs is a weight."""
    return next((value for value in node.inputs if value is not None and value.name in weights), None)


def _replace(graph: onnx_ir.Graph, chain: list[Node], scale: Value, *bias: Value) -> None:
    """Put one node in the place of those of a chain, of which each reads the one before."""
    product, last = chain[0], chain[-1]
    inputs, matrix, zero_point = product.inputs
    old = last.outputs[0]
    new = Value(name=old.name, type=old.type, shape=old.shape)
    # Scales of the two sides are multiplied: the one is that of both already.
    given = [inputs, matrix, _one(graph), scale, zero_point, None, *bias]
    node = onnx_ir.node(OPERATOR, given, domain=DOMAIN, outputs=[new], name=product.name)
    node.metadata_props.update(product.metadata_props)
    graph.insert_before(last, node)
    old.replace_all_uses_with(new, replace_graph_outputs=True)
    graph.remove(reversed(chain), safe=True)


def _one(graph: onnx_ir.Graph) -> Value:
    if ONE not in graph.initializers:
        graph.register_initializer(Value(name=ONE, const_value=onnx_ir.tensor(numpy.array(1, numpy.float32))))
    return graph.initializers[ONE]
