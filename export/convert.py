"""A model's ONNX graphs and their files of weights."""

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import onnx
import onnx_ir
from torch import nn

from export.errors import ConversionError
from export.graphs import EncoderGraph, StepGraph, TablesGraph, prepare
from export.optimize import cut, name_nodes, store_weights
from export.signature import Signature
from export.trace import Weights, trace
from export.weights import WeightFile
from models.seq2seq import Seq2Seq
from service.bundle import FP32, OPTIONAL_ROLES, REQUIRED_ROLES

ENCODER, TABLES = "encoder", "tables"  # tables are in full precision, once for all
ROLES = (*REQUIRED_ROLES, *OPTIONAL_ROLES)


class Planned(NamedTuple):
    """Name a graph of a bundle and its files."""

    role: str
    precision: str

    @property
    def name(self) -> str:
        """Name the graph after its role, and after its precision if that is not the full one."""
        return self.role if self.precision == FP32 else f"{self.role}_{self.precision}"

    @property
    def file(self) -> str:
        """Name its file."""
        return f"{self.name}.onnx"


def planned(precisions: Collection[str]) -> list[Planned]:
    """List the graphs of a bundle: every role in each precision, but the tables once; those in fp32 come first."""
    every = [Planned(role, FP32) for role in ROLES if role == TABLES or FP32 in precisions]
    reduced = (precision for precision in precisions if precision != FP32)
    return every + [Planned(role, precision) for precision in reduced for role in ROLES if role != TABLES]


def write_graphs(models: Mapping[str, Seq2Seq], signature: Signature, half: bool, folder: Path) -> None:
    """Write the graphs of a model, given in every precision that its bundle is to have.

    Weights of fp32 lie in weights.bin; another precision has a file of its own for what differs.

    Raises:
        ConversionError: a graph cannot be written, or the ONNX checker refuses it.
    """
    prepared = {precision: prepare(model) for precision, model in models.items()}

    @cache
    def traced(role: str, precision: str) -> tuple[onnx_ir.Model, Weights]:
        # Embeddings have the same products in every precision, so any model gives the tables.
        model = prepared.get(precision, next(iter(prepared.values())))
        return trace(_module(role, model, signature), signature.inputs(role), signature.outputs(role))

    full = WeightFile(folder / "weights.bin", half)
    files = {FP32: full} | {p: WeightFile(folder / f"weights_{p}.bin", half, full) for p in models if p != FP32}
    for graph in planned(models):
        whole, weights = traced(graph.role if graph.role in (TABLES, ENCODER) else "traced", graph.precision)
        model = cut(whole, {tensor.name for tensor in signature.outputs(graph.role)})
        model.producer_name, model.producer_version, model.graph.name = "seq2serve", None, graph.name
        name_nodes(model)
        store_weights(model, weights, files[graph.precision])
        path = folder / graph.file
        onnx_ir.save(model, path)
        try:
            onnx.checker.check_model(str(path), full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ConversionError(f"the ONNX checker refuses {path.name}: {error}") from error


def _module(role: str, prepared: Seq2Seq, signature: Signature) -> nn.Module:
    """Make what is traced; the decoder is traced once, to be cut to each of its roles."""
    if role == TABLES:
        return TablesGraph(prepared)
    return EncoderGraph(prepared) if role == ENCODER else StepGraph(prepared, signature.candidates)
