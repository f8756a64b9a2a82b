"""PyTorch's kernels against the cells that define what is computed."""

from typing import Any

import pytest
import torch
from torch import nn

from models import fused
from models.cells import CELLS, run

pytestmark = pytest.mark.torch

INPUT, HIDDEN = 3, 4
LENGTHS = torch.tensor([5, 2, 1, 4])
DIRECTIONS = [(False,), (True,), (False, True)]

every_cell = pytest.mark.parametrize("kind", list(CELLS))


@every_cell
@pytest.mark.parametrize("directions", DIRECTIONS, ids=["forward", "backward", "both"])
def test_a_layer_gives_the_cells_outputs_states_and_gradients(kind: str, directions: tuple[bool, ...]) -> None:
    """In each direction and in both at once, over sentences of different lengths."""
    cells = [CELLS[kind](INPUT, HIDDEN) for _ in directions]
    for cell in cells:
        nn.init.normal_(cell.input.bias)
        nn.init.normal_(cell.recurrent.bias)
    gradients, results = [], []
    for own in (True, False):
        torch.manual_seed(1)
        inputs = torch.randn(len(LENGTHS), 6, INPUT, requires_grad=True)
        if own:
            runs = [run(cell, inputs, LENGTHS, reverse) for cell, reverse in zip(cells, directions, strict=True)]
            outputs = torch.cat([found for found, _ in runs], -1)
            states = tuple(torch.cat(one, -1) for one in zip(*(state for _, state in runs), strict=True))
        else:
            outputs, states = fused.run(cells, inputs, LENGTHS, directions == (True,))
        for cell in cells:
            cell.zero_grad()
        ((outputs * torch.randn_like(outputs)).sum() + sum(state.square().sum() for state in states)).backward()
        results.append((outputs, states))
        gradients.append([inputs.grad, *(parameter.grad for cell in cells for parameter in cell.parameters())])
    torch.testing.assert_close(results[0], results[1])
    torch.testing.assert_close(gradients[0], gradients[1])


@every_cell
def test_unrolled_words_give_the_steps_outputs(kind: str) -> None:
    """From any state."""
    cell = CELLS[kind](INPUT, HIDDEN)
    inputs = torch.randn(2, 5, INPUT)
    state = first = tuple(torch.randn(2, 1, HIDDEN) for _ in cell.state_names)
    outputs = []
    for word in inputs.split(1, dim=1):
        state = cell.step(cell.project(word), state)
        outputs.append(state[0])
    torch.testing.assert_close(fused.unroll(cell, inputs, first), torch.cat(outputs, 1))


def test_what_kernels_do_not_know_is_left_to_the_cells() -> None:
    """Layer norm, dropout of states in training, and bf16 on a CPU."""
    plain, normalized = CELLS["gru"](INPUT, HIDDEN), CELLS["gru"](INPUT, HIDDEN, layer_norm=True)
    assert fused.fits(plain, 0.0)
    assert not fused.fits(normalized, 0.0)
    assert not fused.fits(plain, 0.3)
    assert fused.fits(plain.eval(), 0.3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not fused.fits(plain, 0.0)


@every_cell
def test_kernels_compute_in_fp32_under_autocast(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they are given is fp32 and no autocast, under which cuDNN's take fp16; inputs and states may be bf16."""
    cell = CELLS[kind](INPUT, HIDDEN)
    kernel, seen = fused.KERNELS[type(cell)], list[Any]()

    def called(*arguments: Any) -> Any:
        groups = (one if isinstance(one, list | tuple) else (one,) for one in arguments)
        tensors = [one for group in groups for one in group if isinstance(one, torch.Tensor)]
        seen.append(({one.dtype for one in tensors if one.is_floating_point()}, torch.is_autocast_enabled("cpu")))
        return kernel(*arguments)

    monkeypatch.setitem(fused.KERNELS, type(cell), called)
    inputs = torch.randn(len(LENGTHS), 5, INPUT, dtype=torch.bfloat16)
    state = tuple(torch.randn(len(LENGTHS), 1, HIDDEN, dtype=torch.bfloat16) for _ in cell.state_names)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = fused.run([cell], inputs, LENGTHS, False)[0], fused.unroll(cell, inputs, state)
    assert seen == [({torch.float32}, False)] * 2
    expected = (
        fused.run([cell], inputs.float(), LENGTHS, False)[0],
        fused.unroll(cell, inputs.float(), tuple(one.float() for one in state)),
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
