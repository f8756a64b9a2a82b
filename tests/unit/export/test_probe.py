"""Where PyTorch may follow a graph's rounding, and where it may not."""

from typing import cast

import numpy
import pytest
import torch
from torch import nn

from export.errors import ParityError
from export.probe import following
from export.quantized import QuantizedLinear
from models.seq2seq import Seq2Seq

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(("steps", "whole"), [(0.5, 128), (0.5, 129), (0.49, 129), (-0.5, 127), (300, 255), (2, 130)])
def test_graph_decides_on_which_side_of_a_border_a_number_falls(steps: float, whole: int) -> None:
    linear = QuantizedLinear(nn.Linear(1, 1, bias=False), 1.0)
    model, inputs = cast(Seq2Seq, nn.ModuleDict({"product": linear})), steps * linear.rounding.step[None]
    alone = linear(inputs)
    with following(model, {"product": [numpy.array([whole], numpy.uint8)]}, 1e-4, "step"):
        assert torch.equal(linear(inputs), (whole - 128) * linear.weight[0].float() * linear.scale)
    assert torch.equal(linear(inputs), alone)


@pytest.mark.parametrize(("steps", "whole"), [(0.5, 130), (0.4, 129), (300, 254), (2, 128)])
def test_other_numbers_are_refused(steps: float, whole: int) -> None:
    linear = QuantizedLinear(nn.Linear(1, 1), 1.0)
    model, inputs = cast(Seq2Seq, nn.ModuleDict({"product": linear})), steps * linear.rounding.step[None]
    rounded = {"product": [numpy.array([whole], numpy.uint8)]}
    with following(model, rounded, 1e-4, "step"), pytest.raises(ParityError, match="the input of product in step diff"):
        linear(inputs)
