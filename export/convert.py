"""A model's ONNX graphs and their files of weights."""

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import onnx
import onnx_ir
from torch import nn

from export.ahead import repeat
from export.errors import ConversionError
from export.fewer import shorten
from export.fused import fuse
from export.graphs import BeamGraph, EncoderGraph, GreedyGraph, TablesGraph, join, prepare
from export.optimize import cut, name_nodes, store_weights
from export.sequence import EncoderSequenceGraph
from export.signature import BEAM, GREEDY, Signature
from export.trace import Weights, trace
from export.weights import WeightFile
from models.seq2seq import Seq2Seq
from models.tokenizer import EOS_ID
from service.parts import FP16, FP32, GREEDY_ROLES, INT8, OPTIONAL_ROLES, REQUIRED_ROLES

ENCODER, SEQUENCE, TABLES = "encoder", "encoder_sequence", "tables"  # tables are in full precision, once for all
ROLES = (*REQUIRED_ROLES, *OPTIONAL_ROLES)
TRACED = {TABLES: TablesGraph, ENCODER: EncoderGraph, SEQUENCE: EncoderSequenceGraph, GREEDY: GreedyGraph}
# What each of the others is cut from.
CUT = dict.fromkeys(GREEDY_ROLES, GREEDY) | dict.fromkeys(("step", "step_full", "step_beam"), BEAM)
AHEAD, ONE = "step_ahead", "step_greedy"  # the one repeats the other
OF_MANY_ROWS = {"step", "step_full", ONE}  # where fused products pay: they take longer for one row to four
OF_DEVICES = {SEQUENCE, "step_select", "step_beam"}  # which make no difference to a CPU, and so are not in int8


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


def planned(signature: Signature, precisions: Collection[str]) -> list[Planned]:
    """List the graphs of a bundle: its roles in each precision, but the tables once; those in fp32 come first."""
    every = [role for role in ROLES if role != SEQUENCE or signature.sequence]
    first = [Planned(role, FP32) for role in every if role == TABLES or FP32 in precisions]
    reduced = [precision for precision in precisions if precision != FP32]
    left_out = {precision: {TABLES} | (OF_DEVICES if precision == INT8 else {AHEAD}) for precision in reduced}
    return first + [Planned(role, p) for p in reduced for role in every if role not in left_out[p]]


def write_graphs(full: Seq2Seq, models: Mapping[str, Seq2Seq], signature: Signature, half: bool, folder: Path) -> None:
    """Write the graphs of a model, given in every precision that its bundle is to have, and the tables of it in fp32.

    Weights of fp32 lie in weights.bin; another precision has a file of its own for what differs.

    Raises:
        ConversionError: a graph cannot be written, or the ONNX checker refuses it.
    """
    prepared = {precision: prepare(model) for precision, model in models.items()}
    if FP16 in prepared:
        join(prepared[FP16])

    @cache
    def traced(role: str, precision: str) -> tuple[onnx_ir.Model, Weights]:
        model = prepare(full) if role == TABLES else prepared[precision]
        module = _module(role, model, signature)
        return trace(module, signature.inputs(role, precision), signature.outputs(role, precision))

    weights = WeightFile(folder / "weights.bin", half)
    own = {p: WeightFile(folder / f"weights_{p}.bin", half or p == FP16, weights) for p in models if p != FP32}
    for graph in planned(signature, models):
        whole, parameters = traced(CUT.get(graph.role, graph.role), graph.precision)
        role = ONE if graph.role == AHEAD else graph.role
        inputs = {tensor.name for tensor in signature.inputs(role)}
        outputs = {tensor.name for tensor in signature.outputs(role)}
        if graph.role == AHEAD:
            outputs.discard("alignment")
        model = cut(whole, inputs, outputs)
        if graph.role == AHEAD:
            repeat(model, [tensor.name for tensor in signature.state], EOS_ID)
        if graph.precision == FP16:
            shorten(model)
        if graph.precision == INT8 and graph.role in OF_MANY_ROWS:
            fuse(model, parameters)
        model.producer_name, model.producer_version, model.graph.name = "seq2serve", None, graph.name
        name_nodes(model)
        store_weights(model, parameters, own.get(graph.precision, weights))
        path = folder / graph.file
        onnx_ir.save(model, path)
        try:
            onnx.checker.check_model(str(path), full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ConversionError(f"the ONNX checker refuses {path.name}: {error}") from error


def _module(role: str, prepared: Seq2Seq, signature: Signature) -> nn.Module:
    """Make what is traced; decoders are traced twice, to be cut to each of their roles."""
    return BeamGraph(prepared, signature.candidates) if role == BEAM else TRACED[role](prepared)
