"""The directions of a layer advance together as each does by itself."""

import pytest
import torch
from torch import Tensor, nn

from export.directions import together
from export.products import IntegerLinear, TransposedLinear
from export.quantized import QuantizedLinear
from models.cells import CELLS, Cell

pytestmark = pytest.mark.torch
HIDDEN, BATCH = 5, 3


def product(linear: nn.Linear, precision: str) -> nn.Module:
    """Return a linear map as graphs hold it."""
    return IntegerLinear(QuantizedLinear(linear, 1.0)) if precision == "int8" else TransposedLinear(linear)


def make_cells(kind: str, directions: int, layer_norm: bool = False) -> list[Cell]:
    """Make cells with biases, which are zeros at first."""
    torch.manual_seed(7)
    cells = [CELLS[kind](2, HIDDEN, layer_norm) for _ in range(directions)]
    for cell in cells:
        nn.init.normal_(cell.recurrent.bias)
    return cells


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PyTorch compute what only graphs do, an integer product."""

    def multiply(linear: IntegerLinear, inputs: Tensor) -> Tensor:
        whole = (torch.round(inputs / linear.step) + linear.zero_point).clamp(0, 255) - linear.zero_point
        return torch.matmul(whole.double(), linear.weight.double()).to(torch.int32)

    monkeypatch.setattr(IntegerLinear, "multiply", multiply)


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("kind", sorted(CELLS))
@pytest.mark.parametrize(("precision", "layer_norm"), [("fp32", False), ("int8", False), ("fp32", True)])
def test_together_is_as_apart(kind: str, directions: int, precision: str, layer_norm: bool) -> None:
    """With weights of each direction's own; PyTorch may multiply three axes by other sums than two."""
    cells = make_cells(kind, directions, layer_norm)
    for cell in cells:
        cell.recurrent = product(cell.recurrent, precision)
    inputs = torch.randn(directions, BATCH, cells[0].gates * HIDDEN)
    state = tuple(torch.rand(directions, BATCH, HIDDEN) * 2 - 1 for _ in cells[0].state_names)
    found = together(cells)(inputs, state)
    for number, cell in enumerate(cells):
        expected = cell.step(inputs[number], tuple(tensor[number] for tensor in state))
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one[number], other, rtol=1e-5, atol=1e-6)
    assert all(tensor.shape == (directions, BATCH, HIDDEN) for tensor in found)
