"""Greedy steps that no bundle has: with an output layer of any size, with one that is an input, several in a row."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy
import onnx
import onnx_ir
import onnxruntime
import torch
from numpy.typing import NDArray

from export.graphs import GreedyGraph, prepare
from export.optimize import cut, name_nodes, store_weights
from export.quantized import quantize
from export.signature import GREEDY, Signature
from export.trace import Weights, trace
from export.weights import WeightFile
from models.config import ModelConfig
from models.seq2seq import Seq2Seq
from models.tokenizer import PAD_ID
from service.parts import INT8

Ids: TypeAlias = NDArray[numpy.int64]
Session: TypeAlias = onnxruntime.InferenceSession


class Step(NamedTuple):
    """Hold a greedy step with random weights as it was traced: they are inputs."""

    model: onnx_ir.Model
    weights: Weights
    signature: Signature

    @property
    def layer(self) -> Weights:
        """Return the weights of the output layer: those with a column, or a row, for every piece."""
        return {name: array for name, array in self.weights.items() if self.signature.vocabulary in array.shape}

    @property
    def state(self) -> list[str]:
        """Name the states."""
        return [tensor.name for tensor in self.signature.state]

    def shortened(self, count: int) -> Weights:
        """Return an output layer for the first pieces alone."""
        return take(self.layer, self.signature.vocabulary, numpy.arange(count))


def trace_step(config: ModelConfig, vocabulary: int, precision: str) -> Step:
    """Trace a decoder for a vocabulary, whose size must be no other size of the model."""
    torch.manual_seed(0)
    model = Seq2Seq(config, vocabulary, PAD_ID)
    signature = Signature.of(model, candidates=1)
    prepared = prepare(quantize(model) if precision == INT8 else model)
    whole, weights = trace(GreedyGraph(prepared), signature.inputs(GREEDY), signature.outputs(GREEDY))
    inputs = {tensor.name for tensor in signature.inputs("step_greedy")}
    outputs = {t.name for t in signature.outputs("step_greedy") if t.name != "alignment"}
    graph = cut(whole, inputs, outputs)
    name_nodes(graph)
    return Step(graph, weights, signature)


def take(layer: Weights, size: int, ids: Ids) -> Weights:
    """Gather some pieces' columns of an output layer for a vocabulary of a size."""
    return {name: array.take(ids, axis=array.shape.index(size)) for name, array in layer.items()}


def write_step(step: Step, layer: Weights | None, path: Path) -> None:
    """Write a step with another output layer; none: who runs it gives one with each call."""
    model, any_size = step.model.clone(), step.signature.vocabulary
    values = [*model.graph.inputs, *model.graph.outputs, *(value for node in model.graph for value in node.outputs)]
    for value in values:
        sizes = value.shape or ()
        if any_size in sizes:
            value.shape = onnx_ir.Shape([None if size == any_size else size for size in sizes])
    others = {name: array for name, array in step.weights.items() if name not in step.layer}
    store_weights(model, others | (layer or {}), WeightFile(path.with_suffix(".bin"), half=False))
    onnx_ir.save(model, path)


def write_unrolled(step: Path, state: Sequence[str], times: int, path: Path) -> None:
    """Write several steps as one graph, beside that of one: each feeds its best pieces to the next.

    The outputs are ids_0, ids_1, ... (B, W), and the last states.
    """
    model = onnx.load(step, load_external_data=False)
    graph, nodes = model.graph, list(model.graph.node)
    given = {name: name for name in [t.name for t in graph.initializer] + [t.name for t in graph.input]}
    del graph.node[:], graph.value_info[:], graph.output[:]
    for turn in range(times):
        names = given | {name: f"{name}_{turn}" for node in nodes for name in node.output}
        for node in nodes:
            inputs, outputs = ([name and names[name] for name in side] for side in (node.input, node.output))
            copied = onnx.helper.make_node(node.op_type, inputs, outputs, f"{node.name}_{turn}")
            copied.attribute.extend(node.attribute)
            graph.node.append(copied)
        ids = f"ids_{turn}"
        graph.node.append(onnx.helper.make_node("ArgMax", [names["logits"]], [ids], ids, axis=-1, keepdims=0))
        graph.output.append(onnx.helper.make_tensor_value_info(ids, onnx.TensorProto.INT64, ["B", "W"]))
        given |= {"previous_ids": ids, **{name: names[f"next_{name}"] for name in state}}
    for name in state:
        graph.output.append(onnx.helper.make_tensor_value_info(given[name], onnx.TensorProto.FLOAT, ["B", "W", None]))
    onnx.save(model, path)


def follow(session: Session, feed: Mapping[str, Any], state: Sequence[str], times: int) -> list[Ids]:
    """Run single steps one after the other, as a server does; gives the best ids (B, W) of each."""
    names, fed, found = ["logits", *(f"next_{name}" for name in state)], dict(feed), list[Ids]()
    for _ in range(times):
        logits, *following = session.run(names, fed)
        found.append(logits.argmax(axis=-1))
        fed |= {"previous_ids": found[-1], **dict(zip(state, following, strict=True))}
    return found


def open_graph(path: Path, threads: int) -> Session:
    """Load a graph as service.session does, without a bundle that it belongs to."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return Session(str(path), options, providers=["CPUExecutionProvider"])
