"""One product for input and state computes what two do."""

from pathlib import Path
from typing import Any

import onnx_ir
import pytest
import torch

from export.graphs import join, prepare
from export.halved import halve
from export.joined import JoinedCell
from export.optimize import store_weights
from export.trace import trace
from export.weights import WeightFile
from models.config import ModelConfig
from models.seq2seq import Seq2Seq
from service.parts import Tensor
from tests.unit.export.factories import SIZES
from tests.unit.export.loading import loaded, operators_on_weights

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


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_matrices_are_put_together_when_a_graph_is_loaded(cell: str, tmp_path: Path) -> None:
    """In fp16, ONNX Runtime folds only what a kernel of the CPU computes; anything else would run at each step."""
    config = ModelConfig.model_validate({**SIZES, "cell": cell, "attends": "between"})
    joined = join(prepare(halve(Seq2Seq(config, 46, 0)))).decoder.context_cell
    assert isinstance(joined, JoinedCell)

    class Step(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = joined

        def forward(self, inputs: torch.Tensor, *state: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return self.model.step(inputs, state)

    def tensor(name: str, size: int) -> Tensor:
        return Tensor.model_validate({"name": name, "type": "float16", "shape": ("B", size)})

    state = [tensor(name, joined.cell.hidden_size) for name in joined.cell.state_names]
    outputs = [tensor(f"next_{one.name}", joined.cell.hidden_size) for one in state]
    model, weights = trace(Step(), [tensor("inputs", joined.input.weight.shape[0]), *state], outputs)
    store_weights(model, weights, WeightFile(tmp_path / "weights.bin", True))
    onnx_ir.save(model, tmp_path / "step.onnx")
    assert "Concat" in operators_on_weights(tmp_path / "step.onnx")
    assert not operators_on_weights(loaded(tmp_path / "step.onnx", tmp_path / "loaded.onnx"))
