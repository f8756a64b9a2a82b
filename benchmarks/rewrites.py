"""What a greedy int8 step would gain by rewrites of its graph that are not made; every bit must stay the same.

python -m benchmarks.rewrites model_repository/en-de/1

Figures are medians in milliseconds with one thread, of variants in turns.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import onnx
import onnxruntime

from benchmarks.levers import medians
from benchmarks.machine import describe_machine
from benchmarks.step_peak import make_feed
from seq2serve.load.table import markdown, number
from service.bundle import read_bundle
from service.parts import INT8
from service.provider import Device
from service.runner import make_tables
from service.session import open_session

ROLE, CONTRIB, ONE = "step_greedy", "com.microsoft", "one"


def fused(model: onnx.ModelProto) -> onnx.ModelProto:
    """Scale and shift integer products within the product, by an operator of ONNX Runtime's own."""
    graph = model.graph
    readers = {name: node for node in graph.node for name in node.input}
    replaced: dict[str, onnx.NodeProto] = {}  # by the output that it takes over
    gone = set()
    for product in graph.node:
        if product.op_type != "MatMulInteger":
            continue
        cast = readers[product.output[0]]
        scaled = readers[cast.output[0]]
        after = readers[scaled.output[0]]
        chain, bias = [product, cast, scaled], []
        if after.op_type == "Add" and after.name == f"{product.name.rpartition('/')[0]}/Add":
            chain, bias = [*chain, after], [after.input[1]]
        inputs, weight, zero_point = product.input
        replaced[chain[-1].output[0]] = onnx.helper.make_node(
            "MatMulIntegerToFloat",
            [inputs, weight, ONE, scaled.input[1], zero_point, "", *bias],
            [chain[-1].output[0]],
            domain=CONTRIB,
        )
        gone |= {node.output[0] for node in chain}
    nodes = [replaced.get(node.output[0], node) for node in graph.node]
    kept = [node for node in nodes if node.output[0] in replaced or node.output[0] not in gone]
    graph.initializer.append(onnx.numpy_helper.from_array(numpy.array(1, numpy.float32), ONE))
    model.opset_import.append(onnx.helper.make_opsetid(CONTRIB, 1))
    return with_nodes(model, kept)


def with_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> onnx.ModelProto:
    """Give a graph other nodes, without those that nobody reads, and inputs that nobody reads."""
    graph, wanted = model.graph, {value.name for value in model.graph.output}
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(onnx.NodeProto.FromString(node.SerializeToString()))
            wanted |= set(node.input)
    inputs = [onnx.ValueInfoProto.FromString(v.SerializeToString()) for v in graph.input if v.name in wanted]
    del graph.node[:], graph.input[:]
    graph.node.extend(reversed(kept))
    graph.input.extend(inputs)
    return model


def main() -> None:
    """Print a table of steps as they ship, and rewritten."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="REPOSITORY/NAME/VERSION")
    parser.add_argument("--rows", type=int, nargs="+", default=(1, 2, 4, 8, 16, 24, 48))
    parser.add_argument("--source-length", type=int, default=16)
    arguments = parser.parse_args()
    bundle = read_bundle(arguments.bundle)
    file = bundle.file(bundle.manifest.graph(ROLE, INT8).file)
    variants = {"as shipped": lambda model: model, "products fused": fused}
    sessions = {name: _open(rewrite(onnx.load(file))) for name, rewrite in variants.items()}
    opened = open_session(bundle, bundle.manifest.graph("tables"), Device("cpu"), 1)
    given = make_tables(bundle.manifest, opened)
    print(describe_machine() + "\n")
    lines = []
    for rows in arguments.rows:
        feed = given | make_feed(bundle.manifest, rows, arguments.source_length)
        runs: dict[str, Callable[[], Any]] = {}
        for name, session in sessions.items():
            runs[name] = partial(session.run, None, {node.name: feed[node.name] for node in session.get_inputs()})
        expected = runs["as shipped"]()
        for name, run in runs.items():
            if not all(numpy.array_equal(one, other) for one, other in zip(run(), expected, strict=True)):
                raise RuntimeError(f"{name}: other bits than those of the graph that ships")
        lines.append([str(rows), *map(number, medians(runs).values())])
    print(markdown(["rows", *sessions], lines))


def _open(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # constants of what is gone are still there
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main()
