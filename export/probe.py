"""What a graph's integer products read, so that PyTorch can be made to round as the graph did.

A number on the border between two steps is rounded up here and down there, as the sums before it end in other bits;
one such step moves all that follows by more than any sound tolerance. So PyTorch takes the graph's whole numbers, after
a check that its own numbers allow them, and everything else is compared as closely as in float.
"""

import contextlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.errors import ParityError
from export.quantized import LARGEST_INPUT, ZERO_POINT, Rounding
from models.seq2seq import Seq2Seq

PRODUCT = "MatMulInteger"
Rounded = Mapping[str, NDArray[Any]]  # uint8, by the name of the product's module


class Probe:
    """Hold a copy of a graph that gives the rounded inputs of its integer products."""

    def __init__(self, path: Path) -> None:
        model = onnx.load(path, load_external_data=False)
        # Products that read the same numbers share them.
        products = [node for node in model.graph.node if node.op_type == PRODUCT]
        self._inputs = {node.name.removesuffix(f"/{PRODUCT}"): node.input[0] for node in products}
        self._names = sorted(set(self._inputs.values()))
        model.graph.ClearField("output")
        model.graph.output.extend(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, None) for name in self._names
        )
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def run(self, feed: Mapping[str, NDArray[Any]]) -> Rounded:
        """Run the graph; gives what each product reads (..., in)."""
        found = dict(zip(self._names, self._session.run(self._names, feed), strict=True))
        return {module: found[name] for module, name in self._inputs.items()}


@contextlib.contextmanager
def following(model: Seq2Seq, rounded: Rounded, tolerance: float, where: str) -> Iterator[None]:
    """Let a quantized model read a graph's whole numbers in place of its own.

    Raises:
        ParityError: its own number, give or take `tolerance` of the range, would not be rounded so; names the product.
    """
    hooks = [
        model.get_submodule(f"{name}.rounding").register_forward_hook(
            partial(_take, torch.from_numpy(whole), tolerance, f"the input of {name} in {where}")
        )
        for name, whole in rounded.items()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _take(whole: Tensor, tolerance: float, what: str, module: nn.Module, inputs: tuple[Tensor], own: Tensor) -> Tensor:
    assert isinstance(module, Rounding)
    exact = (inputs[0] / module.step + ZERO_POINT).clamp(0, 255)
    difference = float((whole - exact).abs().max())
    if not difference <= 0.5 + tolerance * LARGEST_INPUT:
        raise ParityError(f"{what} differs from PyTorch by {difference:.2f} of its 255 steps, rounding explains 0.5")
    return whole
