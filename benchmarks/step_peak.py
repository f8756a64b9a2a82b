"""How near a decoder step comes to the processor's limit: its products' operations per second, beside plain products'.

python -m benchmarks.step_peak model_repository/en-de/1
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import onnx
import onnxruntime

from benchmarks.machine import describe_machine
from export.fused import OPERATOR, PRODUCT
from service.bundle import read_bundle
from service.manifest import Manifest
from service.provider import Device
from service.runner import make_tables
from service.session import open_session

SIDE = 2048  # of the square matrices whose product shows the peak


def median_seconds(run: Callable[[], object], repeats: int) -> float:
    """Time a function after a warm-up."""
    for _ in range(3):
        run()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def product_operations(graph: Path, rows: int) -> int:
    """Count multiplications and additions of a graph's products with weights, for a number of rows."""
    model = onnx.load(graph, load_external_data=False).graph
    shapes = {tensor.name: tensor.dims for tensor in model.initializer}
    origins = {node.output[0]: node.input[0] for node in model.node if node.op_type in ("Cast", "Transpose")}
    found = 0
    for node in model.node:
        if node.op_type not in ("MatMul", PRODUCT, OPERATOR):
            continue
        weight = node.input[1]
        while weight in origins:
            weight = origins[weight]
        if weight in shapes:
            found += 2 * rows * int(numpy.prod(shapes[weight]))
    return found


def peak(threads: int) -> float:
    """Return the operations per second of a large product in ONNX Runtime."""
    helper = onnx.helper
    matrix = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [SIDE, SIDE]) for name in "abc"]
    weight = numpy.random.default_rng(0).random((SIDE, SIDE), numpy.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        "product",
        matrix[:1],
        matrix[2:],
        [onnx.numpy_helper.from_array(weight, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return 2 * SIDE**3 / median_seconds(partial(session.run, None, {"a": weight}), 5)


def make_feed(manifest: Manifest, rows: int, source_length: int) -> dict[str, Any]:
    """Make what a step of one hypothesis a row reads but tables: random words, and numbers such as states are."""
    random = numpy.random.default_rng(0)
    shapes = {tensor.name: (rows, source_length, *tensor.features) for tensor in manifest.memory}
    shapes |= {tensor.name: (rows, 1, *tensor.features) for tensor in manifest.state}
    return {
        "previous_ids": random.integers(4, manifest.vocabulary.size, (rows, 1)),
        "parents": numpy.zeros((rows, 1), numpy.int64),
        "source_lengths": numpy.full(rows, source_length),
        **{name: random.uniform(-1, 1, shape).astype(numpy.float32) for name, shape in shapes.items()},
    }


def main() -> None:
    """Print both for one thread, as a shard has, and for all cores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="REPOSITORY/NAME/VERSION")
    parser.add_argument("--precision", choices=("fp32", "int8"), default="fp32")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--source-length", type=int, default=32)
    arguments = parser.parse_args()
    bundle, rows = read_bundle(arguments.bundle), arguments.rows
    manifest = bundle.manifest
    opened = open_session(bundle, manifest.graph("tables"), Device("cpu"), 1) if manifest.tables else None
    tables = make_tables(manifest, opened)
    role = "step_greedy" if manifest.has("step_greedy") else "step"
    feed = make_feed(manifest, rows, arguments.source_length)
    step = manifest.graph(role, arguments.precision)
    operations = product_operations(bundle.file(step.file), rows)
    print(f"{step.name}, {rows} rows, {arguments.source_length} source pieces. {describe_machine()}")
    for threads in sorted({1, os.cpu_count() or 1}):
        session = open_session(bundle, step, Device("cpu"), threads)
        read = {node.name for node in session.get_inputs()}
        inputs = {name: array for name, array in (feed | tables).items() if name in read}
        names = [output.name for output in session.get_outputs() if output.name != "alignment"]
        seconds, limit = median_seconds(partial(session.run, names, inputs), 50), peak(threads)
        print(
            f"{threads} threads: {1000 * seconds:.2f} ms a step, {operations / seconds / 1e9:.1f} of "
            f"{limit / 1e9:.1f} GFLOP/s: {operations / seconds / limit:.2f}"
        )


if __name__ == "__main__":
    main()
