"""Matrix products as graphs hold them: their matrices lie as the operators read them, (in, out)."""

import torch
from torch import Tensor, nn

from export.quantized import ZERO_POINT, QuantizedLinear


class TransposedLinear(nn.Module):
    """Compute x W' + b from a stored W' (in, out), so that the graph holds a product and no transposition."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(linear.weight.detach().t().contiguous())
        self.bias = linear.bias

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (..., in) to (..., out)."""
        product = torch.matmul(inputs, self.weight)
        return product if self.bias is None else product + self.bias


class IntegerLinear(nn.Module):
    """Compute what export.quantized.QuantizedLinear does, by ONNX operators; it exists in an export alone."""

    def __init__(self, linear: QuantizedLinear) -> None:
        super().__init__()
        self.step = nn.Buffer(linear.rounding.step)
        self.zero_point = nn.Buffer(torch.tensor(ZERO_POINT, dtype=torch.uint8))
        self.weight, self.scale, self.bias = linear.weight, linear.scale, linear.bias

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (..., in) to (..., out)."""
        rounded = torch.onnx.ops.symbolic(
            "QuantizeLinear", (inputs, self.step, self.zero_point), dtype=torch.uint8, shape=inputs.shape
        )
        sums = torch.onnx.ops.symbolic(
            "MatMulInteger",
            (rounded, self.weight, self.zero_point),
            dtype=torch.int32,
            shape=(*inputs.shape[:-1], self.weight.shape[1]),
        )
        product = sums.float() * self.scale
        return product if self.bias is None else product + self.bias
