"""A model in fp16 as PyTorch computes it: the reference that graphs of that precision must agree with.

Weights, states and memory are in half precision, and so is what every operation gives; products sum in single precision
and round once, as tensor cores do. In single precision are the weights of attention, as softmax makes them, and all
from the readout on: fp16 numbers near 16 are 0.016 apart, so that logits of two words would often be the same.
"""

import copy

from torch import Tensor, nn
from torch.nn.functional import linear

from export.weights import round_to_half
from models.seq2seq import Seq2Seq


def halve(model: Seq2Seq) -> Seq2Seq:
    """Copy a model with everything in fp16 but its logits.

    Raises:
        ConversionError: a weight is beyond the range of fp16; names it.
    """
    halved = copy.deepcopy(model).eval()
    round_to_half(halved, "export it without --precision fp16")
    output = WideLinear(halved.output)
    for owner in list(halved.modules()):
        for name, child in list(owner.named_children()):
            if isinstance(child, nn.Linear):
                setattr(owner, name, HalfLinear(child))
    halved.half().output = output
    return halved.requires_grad_(False)


class HalfLinear(nn.Linear):
    """Compute x W + b of fp16 numbers, summed in single precision."""

    def __init__(self, rounded: nn.Linear) -> None:
        super().__init__(rounded.in_features, rounded.out_features, rounded.bias is not None)
        self.load_state_dict(rounded.state_dict())

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (..., in) to (..., out)."""
        bias = None if self.bias is None else self.bias.float()
        return linear(inputs.float(), self.weight.float(), bias).half()


class WideLinear(nn.Linear):
    """Compute x W + b in single precision, of an input in half; a graph stores the weights as fp16 all the same."""

    def __init__(self, rounded: nn.Linear) -> None:
        super().__init__(rounded.in_features, rounded.out_features)
        self.load_state_dict(rounded.state_dict())

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (..., in) to (..., out)."""
        return super().forward(inputs.float())
