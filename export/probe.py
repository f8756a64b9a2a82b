"""What a graph's integer products read, so that PyTorch can be made to round as the graph did.

A number on the border between two steps is rounded up here and down there, as the sums before it end in other bits;
one such step moves all that follows by more than any sound tolerance. So PyTorch takes the graph's whole numbers, after
a check that its own numbers allow them, and everything else is compared as closely as in float.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.errors import ParityError
from export.fused import OPERATOR, PRODUCT
from export.quantized import LARGEST_INPUT, ZERO_POINT, Rounding
from models.seq2seq import Seq2Seq

LAYER_INPUT = re.compile(r"encoder\.layers\.\d+\.(\d+)\.input")  # and the direction
Numbers = NDArray[Any]  # uint8
Rounded = Mapping[str, Sequence[Numbers]]  # by the name of the product's module: one array for each of its calls


class Probe:
    """Hold a copy of a graph that gives the rounded inputs of its integer products."""

    def __init__(self, path: Path) -> None:
        model = onnx.load(path, load_external_data=False)
        once = {_module(node): node.input[0] for node in _products(model.graph)}  # products may share what they read
        looped = [name for node in model.graph.node if node.op_type == "Scan" for name in _stack(node)]
        self._modules, self._looped = [*once, *looped], set(looped)
        self._names = [*once.values(), *map(_output, looped)]
        model.graph.ClearField("output")
        model.graph.output.extend(_integers(name) for name in dict.fromkeys(self._names))
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def run(self, feed: Mapping[str, NDArray[Any]]) -> Rounded:
        """Run the graph; gives what each product reads (..., in), in the order of PyTorch's calls."""
        found = zip(self._modules, self._session.run(self._names, feed), strict=True)
        return {module: list(read) if module in self._looped else [read] for module, read in found}


def _products(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    return [node for node in graph.node if node.op_type in (PRODUCT, OPERATOR)]


def _module(product: onnx.NodeProto) -> str:
    """Name a product by its weight: in the body of a loop the node's name does not tell."""
    return product.input[1].removesuffix(".weight")


def _output(module: str) -> str:
    return f"{module}/{PRODUCT}/input"


def _integers(name: str) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, None)


def _stack(scan: onnx.NodeProto) -> list[str]:
    """Let a loop give what its products read, one iteration behind the other; returns their modules.

    PyTorch runs a cell in the same order: what comes from behind is turned around before the loop.
    """
    attributes = {attribute.name: attribute for attribute in scan.attribute}
    body, modules = attributes["body"].g, []
    for product in _products(body):
        modules.append(_module(product))
        body.output.append(_integers(product.input[0]))
        scan.output.append(_output(modules[-1]))
        attributes["scan_output_directions"].ints.append(0)
    return modules


def _turned(module: str, calls: Sequence[Numbers], model: Seq2Seq) -> Sequence[Numbers]:
    """Turn what a layer of the encoder reads from (S, B, in), from behind in some directions, to (B, S, in)."""
    layer = LAYER_INPUT.fullmatch(module)
    if layer is None:
        return calls
    order = -1 if model.encoder.backward[int(layer[1])] else 1
    return [read[::order].swapaxes(0, 1).copy() for read in calls]


@contextlib.contextmanager
def following(model: Seq2Seq, rounded: Rounded, tolerance: float, where: str) -> Iterator[None]:
    """Let a quantized model read a graph's whole numbers in place of its own.

    Raises:
        ParityError: its own number, give or take `tolerance` of the range, would not be rounded so; names the product.
    """
    hooks = [
        model.get_submodule(f"{name}.rounding").register_forward_hook(
            partial(_take, iter(_turned(name, calls, model)), tolerance, f"the input of {name} in {where}")
        )
        for name, calls in rounded.items()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _take(
    calls: Iterator[Numbers], tolerance: float, what: str, module: nn.Module, inputs: tuple[Tensor], own: Tensor
) -> Tensor:
    assert isinstance(module, Rounding)
    exact = (inputs[0] / module.step + ZERO_POINT).clamp(0, 255)
    whole = torch.from_numpy(next(calls)).reshape(exact.shape)  # in the graph a direction has an axis of its own
    difference = float((whole - exact).abs().max())
    if not difference <= 0.5 + tolerance * LARGEST_INPUT:
        raise ParityError(f"{what} differs from PyTorch by {difference:.2f} of its 255 steps, rounding explains 0.5")
    return whole
