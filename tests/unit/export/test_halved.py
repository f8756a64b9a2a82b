"""What fp16 means: what is rounded, how products are summed, and what stays in single precision."""

import numpy
import pytest
import torch
from torch import nn

from export.errors import ConversionError
from export.halved import HalfLinear, WideLinear, halve
from models.config import ModelConfig
from models.seq2seq import Seq2Seq
from tests.unit.export.factories import SIZES

pytestmark = pytest.mark.torch


def build(**over: object) -> Seq2Seq:
    """Build a model with random weights."""
    return Seq2Seq(ModelConfig.model_validate({**SIZES, **over}), 46, 0).eval()


def test_products_are_summed_in_single_precision_and_rounded_once() -> None:
    linear = nn.Linear(900, 31)
    linear.weight.data, linear.bias.data = linear.weight.half().float(), linear.bias.half().float()
    inputs = torch.randn(8, 900).half()
    found = HalfLinear(linear).half()(inputs)
    exact = inputs.double().numpy() @ linear.weight.double().detach().numpy().T + linear.bias.double().detach().numpy()
    assert found.dtype == torch.float16
    assert (numpy.abs(found.detach().double().numpy() - exact) <= 2.0**-11 * numpy.abs(exact) + 1e-5).all()


@torch.no_grad()
@pytest.mark.parametrize("over", [{}, {"cell": "lstm", "residual": True, "context": "multi-head", "heads": 3}])
def test_model_is_nearly_the_same_and_its_logits_are_wide(over: dict[str, object]) -> None:
    model = build(**over)
    halved = halve(model)
    assert isinstance(halved.output, WideLinear)
    assert model.output.weight.dtype == torch.float32
    ids, lengths, words = torch.randint(4, 46, (5, 7)), torch.tensor([7, 3, 1, 0, 5]), torch.randint(4, 46, (5, 1))
    (memory, state), (expected_memory, expected_state) = halved.encode(ids, lengths), model.encode(ids, lengths)
    assert {tensor.dtype for tensor in (*memory.tensors.values(), *state)} == {torch.float16}
    logits, following, alignment = halved.step(words, state, memory)
    expected, *_ = model.step(words, expected_state, expected_memory)
    assert {tensor.dtype for tensor in following} == {torch.float16}
    assert alignment is not None
    assert alignment.dtype == logits.dtype == torch.float32
    assert 0 < float((logits - expected).abs().max()) < 0.02


def test_weight_beyond_fp16_is_named() -> None:
    model = build()
    with torch.no_grad():
        model.decoder.bridge.bias[0] = 1e6
    with pytest.raises(ConversionError, match=r"decoder.bridge.bias has values up to 1e\+06.*without --precision fp16"):
        halve(model)
