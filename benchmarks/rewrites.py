"""What a greedy int8 step gains by products that scale and shift what they give; every bit must be the same.

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
from export.fused import OPERATOR, PRODUCT
from seq2serve.load.table import markdown, number
from service.bundle import read_bundle
from service.parts import INT8
from service.provider import Device
from service.runner import make_tables
from service.session import open_session

ROLE = "step_greedy"


def apart(model: onnx.ModelProto) -> onnx.ModelProto:
    """Scale and shift integer products by operators of the standard, behind the product."""
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        nodes += _parts(node) if node.op_type == OPERATOR else [node]
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _parts(product: onnx.NodeProto) -> list[onnx.NodeProto]:
    inputs, weight, _, scale, zero_point, _, *bias = product.input
    name, (result,) = product.name, product.output
    sums, floats, scaled = (f"{name}/{part}" for part in ("sums", "floats", "scaled"))
    make = onnx.helper.make_node
    nodes = [
        make(PRODUCT, [inputs, weight, zero_point], [sums]),
        make("Cast", [sums], [floats], to=onnx.TensorProto.FLOAT),
        make("Mul", [floats, scale], [scaled if bias else result]),
    ]
    return [*nodes, make("Add", [scaled, *bias], [result])] if bias else nodes


def main() -> None:
    """Print a table of steps as they ship, and with products apart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="REPOSITORY/NAME/VERSION")
    parser.add_argument("--rows", type=int, nargs="+", default=(1, 2, 4, 8, 16, 24, 48))
    parser.add_argument("--source-length", type=int, default=16)
    arguments = parser.parse_args()
    bundle = read_bundle(arguments.bundle)
    file = bundle.file(bundle.manifest.graph(ROLE, INT8).file)
    variants = {"as shipped": lambda model: model, "apart": apart}
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
