"""Matrix products as graphs hold them: their matrices lie as the operators read them, (in, out)."""

from collections.abc import Callable
from typing import Any

import torch
from onnxscript import opset20
from torch import Tensor, nn

from export.quantized import ZERO_POINT, QuantizedLinear

# An operator of our own, since torch.onnx.ops.symbolic cannot stand in the body of a scan.
torch.library.define(
    "seq2serve::integer_product", "(Tensor inputs, Tensor step, Tensor zero_point, Tensor weight) -> Tensor"
)


@torch.library.register_fake("seq2serve::integer_product")  # type: ignore[untyped-decorator]
def _shape(inputs: Tensor, step: Tensor, zero_point: Tensor, weight: Tensor) -> Tensor:
    return inputs.new_empty((*inputs.shape[:-1], weight.shape[1]), dtype=torch.int32)


def _write(inputs: Any, step: Any, zero_point: Any, weight: Any) -> Any:
    rounded = opset20.QuantizeLinear(inputs, step, zero_point)
    return opset20.MatMulInteger(rounded, weight, zero_point)


TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.seq2serve.integer_product.default: _write
}  # to ONNX


class TransposedLinear(nn.Module):
    """Compute x W' + b from a stored W' (in, out), so that the graph holds a product and no transposition."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(linear.weight.detach().t().contiguous())
        self.bias = linear.bias

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (..., in) to (..., out)."""
        product = self.multiply(inputs)
        return product if self.bias is None else product + self.bias

    def multiply(self, inputs: Tensor) -> Tensor:
        """Give x W' (..., out) of inputs (..., in)."""
        return torch.matmul(inputs, self.weight)


class IntegerLinear(nn.Module):
    """Compute what export.quantized.QuantizedLinear does, by ONNX operators; it exists in an export alone."""

    def __init__(self, linear: QuantizedLinear) -> None:
        super().__init__()
        self.step = nn.Buffer(linear.rounding.step)
        self.zero_point = nn.Buffer(torch.tensor(ZERO_POINT, dtype=torch.uint8))
        self.weight, self.scale, self.bias = linear.weight, linear.scale, linear.bias

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (..., in) to (..., out)."""
        product: Tensor = self.multiply(inputs).float() * self.scale
        return product if self.bias is None else product + self.bias

    def multiply(self, inputs: Tensor) -> Tensor:
        """Give the sums (..., out), in int32 and without their scale, of inputs (..., in)."""
        sums: Tensor = torch.ops.seq2serve.integer_product(inputs, self.step, self.zero_point, self.weight)
        return sums
