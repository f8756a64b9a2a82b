"""A model in int8 as PyTorch computes it: the reference that graphs of that precision must agree with.

All scales are fixed, so a row's numbers do not depend on its batch; sums of whole numbers are exact in any order.
"""

import copy
import logging

import torch
from torch import Tensor, nn

from export.ranges import input_ranges
from models.seq2seq import Seq2Seq

log = logging.getLogger("export.quantized")
# 7 bits: CPUs without VNNI add pairs of products in 16 bits, and 2 * 255 * 64 fits there, 2 * 255 * 127 does not.
LARGEST_WEIGHT = 64
ZERO_POINT = 128  # inputs are unsigned, since ONNX Runtime is several times slower with signed ones (measured)
LARGEST_INPUT = 127


def quantize(model: Seq2Seq) -> Seq2Seq:
    """Copy a model with every product in int8 whose inputs are bounded.

    The energies v . tanh(...) of attention stay as they are: they are products with one vector. So do the products of
    embeddings, of which every bundle has tables in full precision.
    """
    quantized = copy.deepcopy(model).eval()
    for name, largest in input_ranges(model).items():
        if largest is None:
            log.info("%s stays in float: nothing bounds its inputs", name)
            continue
        owner, _, child = name.rpartition(".")
        linear = model.get_submodule(name)
        assert isinstance(linear, nn.Linear)
        setattr(quantized.get_submodule(owner), child, QuantizedLinear(linear, largest))
    return quantized.requires_grad_(False)


class Rounding(nn.Module):
    """Round numbers between -`largest` and `largest` to whole ones, q = round(x / step) + 128, and clip what is beyond.

    Halves go to the even neighbour, as in the QuantizeLinear operator.
    """

    step: Tensor

    def __init__(self, largest: float) -> None:
        super().__init__()
        self.register_buffer("step", torch.tensor(largest / LARGEST_INPUT))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (...) to uint8."""
        return (torch.round(inputs / self.step) + ZERO_POINT).clamp(0, 255).to(torch.uint8)


class QuantizedLinear(nn.Module):
    """Compute y_j = scale_j * sum_i (q_i - 128) w_ij + b_j with whole numbers q of 8 and w of 7 bits (in, out).

    The scale of a column is the step of the inputs times that of its weights, max_i |w_ij| / 64.
    """

    def __init__(self, linear: nn.Linear, largest: float) -> None:
        super().__init__()
        self.rounding = Rounding(largest)
        weight = linear.weight.detach().t()
        # A column of zeros, such as that of the padding, takes any step.
        steps = weight.abs().amax(0).clamp(min=torch.finfo(weight.dtype).tiny) / LARGEST_WEIGHT
        self.weight = nn.Parameter((weight / steps).round().to(torch.int8).contiguous(), requires_grad=False)
        self.scale = nn.Parameter(steps * self.rounding.step, requires_grad=False)  # (out,)
        self.bias = linear.bias

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (..., in) to (..., out)."""
        # Double precision holds these sums exactly, and has a fast product.
        sums = torch.matmul(self.rounding(inputs).double() - ZERO_POINT, self.weight.double())
        product = sums.float() * self.scale
        return product if self.bias is None else product + self.bias
