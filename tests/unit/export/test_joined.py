"""One product for input and state computes what two do."""

from typing import Any

import pytest
import torch

from export.graphs import join, prepare
from export.joined import JoinedCell
from models.config import ModelConfig
from models.seq2seq import Seq2Seq
from tests.unit.export.factories import SIZES

pytestmark = pytest.mark.torch


@torch.no_grad()
@pytest.mark.parametrize(
    ("over", "joined"),
    [
        ({"attends": "between"}, 1),
        ({"cell": "lstm", "attends": "between", "decoder_layers": 2}, 2),
        ({"cell": "rnn", "decoder_layers": 3, "residual": True}, 2),
        ({"attends": "between", "layer_norm": True}, 0),
    ],
)
def test_joined_cells_advance_as_their_own(over: dict[str, Any], joined: int) -> None:
    model = Seq2Seq(ModelConfig.model_validate({**SIZES, **over}), 46, 0).eval()
    for parameter in model.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.1)
    changed = join(prepare(model))
    assert sum(isinstance(module, JoinedCell) for module in changed.modules()) == joined
    assert {name for name, _ in changed.named_parameters()} == {name for name, _ in model.named_parameters()}
    memory, state = model.encode(torch.randint(4, 46, (5, 7)), torch.tensor([7, 3, 1, 2, 5]))
    words = torch.randint(4, 46, (5, 1))
    (expected, states, _), (found, following, _) = (one.step(words, state, memory) for one in (model, changed))
    assert torch.allclose(found, expected, atol=1e-5)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(following, states, strict=True))
