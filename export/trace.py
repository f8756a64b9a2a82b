"""PyTorch modules to ONNX graphs, their weights beside them."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

import onnx_ir
import onnx_ir.passes
import onnxscript.optimizer
import torch
from torch import Tensor, nn

from export.errors import ConversionError
from export.products import TRANSLATIONS
from export.signature import Tensors
from export.weights import Array

OPSET = 20
EXAMPLE = {"B": 3, "W": 2, "S": 5}  # all different, and none of them 1, which torch.export would take for a constant
WRAPPED = "wrapped.model."  # what _Flat and the graphs put before a module's name
Weights = dict[str, Array]


class _Flat(nn.Module):
    """Take all inputs alike, so that their dynamic axes can be named alike."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.wrapped = module

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        outputs: tuple[Tensor, ...] = self.wrapped(*tensors)
        return outputs


def trace(module: nn.Module, inputs: Tensors, outputs: Tensors) -> tuple[onnx_ir.Model, Weights]:
    """Write a module as an ONNX graph whose weights are further inputs; returns it and the weights.

    Raises:
        ConversionError: PyTorch cannot export it; the message has the first line of its reason.
    """
    flat = _Flat(module).eval()
    sizes = [[EXAMPLE[n] if isinstance(n, str) else n for n in tensor.shape] for tensor in inputs]
    letters = {letter: torch.export.Dim(letter) for letter in EXAMPLE}
    try:
        with _quiet():
            program = torch.onnx.export(
                flat,
                tuple(
                    torch.zeros(size, dtype=getattr(torch, tensor.type))
                    for tensor, size in zip(inputs, sizes, strict=True)
                ),
                dynamo=True,
                custom_translation_table=TRANSLATIONS,
                optimize=False,
                opset_version=OPSET,
                input_names=[tensor.name for tensor in inputs],
                output_names=[tensor.name for tensor in outputs],
                dynamic_shapes=(
                    tuple({i: letters[n] for i, n in enumerate(t.shape) if isinstance(n, str)} for t in inputs),
                ),
            )
            assert program is not None
            weights = _weights_to_inputs(program.model, flat)
            onnxscript.optimizer.optimize(program.model)
    except (torch.onnx.OnnxExporterError, onnx_ir.passes.PassError) as error:
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        raise ConversionError(f"PyTorch cannot write {type(module).__name__} as ONNX: {reason}") from error
    return program.model, weights


def _weights_to_inputs(model: onnx_ir.Model, module: nn.Module) -> Weights:
    """Turn weights into inputs, so that the simplifier neither folds nor merges them."""
    # Of the names of a tied matrix the first counts, so that all graphs call it the same.
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    weights: Weights = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        value = model.graph.initializers.pop(name, None)
        if value is None:
            continue
        value.name = names[id(parameter)].removeprefix(WRAPPED)
        value.const_value = None
        if value.uses():
            model.graph.inputs.append(value)
            weights[value.name] = parameter.detach().numpy()
    return weights


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks about optional packages and its own deprecations off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
