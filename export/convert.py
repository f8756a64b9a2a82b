"""A model's ONNX graphs and their one file of weights."""

from pathlib import Path

import onnx
import onnx_ir

from export.errors import ConversionError
from export.graphs import EncoderGraph, StepGraph, TablesGraph, prepare
from export.optimize import cut, name_nodes, store_weights
from export.signature import Signature
from export.trace import trace
from export.weights import WeightFile
from models.seq2seq import Seq2Seq
from service.bundle import OPTIONAL_ROLES, REQUIRED_ROLES

WEIGHTS = "weights.bin"
ROLES = (*REQUIRED_ROLES, *OPTIONAL_ROLES)


def write_graphs(model: Seq2Seq, signature: Signature, half: bool, folder: Path) -> None:
    """Write ROLE.onnx for every role; the decoder is traced once and cut to each of its roles.

    Raises:
        ConversionError: a graph cannot be written, or the ONNX checker refuses it.
    """
    prepared = prepare(model)
    modules = {
        "tables": TablesGraph(prepared),
        "encoder": EncoderGraph(prepared),
        "traced": StepGraph(prepared, signature.candidates),
    }
    traced = {name: trace(module, signature.inputs(name), signature.outputs(name)) for name, module in modules.items()}
    file = WeightFile(folder / WEIGHTS, half)
    for role in ROLES:
        whole, weights = traced.get(role, traced["traced"])
        graph = cut(whole, {tensor.name for tensor in signature.outputs(role)})
        graph.producer_name, graph.producer_version, graph.graph.name = "seq2serve", None, role
        name_nodes(graph)
        store_weights(graph, weights, file)
        path = folder / f"{role}.onnx"
        onnx_ir.save(graph, path)
        try:
            onnx.checker.check_model(str(path), full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ConversionError(f"the ONNX checker refuses {path.name}: {error}") from error
