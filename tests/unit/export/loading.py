"""Graphs as ONNX Runtime has them once they are loaded."""

from collections.abc import Iterator
from pathlib import Path

import onnx
import onnxruntime


def loaded(path: Path, target: Path) -> Path:
    """Load a graph on the CPU, and write what became of it to `target`."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return target


def operators_on_weights(path: Path) -> list[str]:
    """List the operators of a graph that read weights and constants, and nothing that an input changes."""
    graph = onnx.load(path, load_external_data=False).graph
    fixed, found = {tensor.name for tensor in graph.initializer}, []
    for node in graph.node:
        if fixed.issuperset(node.input):
            fixed |= set(node.output)
            found.append(node.op_type)
    return found


def every_node(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """List the nodes of a graph and of the bodies of its loops."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from every_node(attribute.g)
