"""The cells against PyTorch's own, and padding that changes nothing."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.cells import CELLS, Cell, run

pytestmark = pytest.mark.torch

INPUT, HIDDEN = 3, 4
LENGTHS = torch.tensor([5, 2, 1, 4])
THEIRS: dict[str, type[nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
# Our blocks of gates in the order of PyTorch's: GRU z,r,n -> r,z,n; LSTM i,o,f,g -> i,f,g,o.
ORDER = {"rnn": [0], "gru": [1, 0, 2], "lstm": [0, 2, 3, 1]}

every_cell = pytest.mark.parametrize("kind", list(CELLS))
both_directions = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])


def _cell(kind: str, seed: int = 0) -> Cell:
    torch.manual_seed(seed)
    cell = CELLS[kind](INPUT, HIDDEN)
    for bias in (cell.input.bias, cell.recurrent.bias):
        nn.init.normal_(bias)
    return cell


def _permuted(kind: str, ours: Tensor) -> Tensor:
    blocks = ours.chunk(len(ORDER[kind]))
    return torch.cat([blocks[i] for i in ORDER[kind]])


def _pairs(cell: Cell, other: nn.RNNBase, suffix: str) -> list[tuple[Tensor, Tensor]]:
    return [
        (cell.input.weight, getattr(other, f"weight_ih_l0{suffix}")),
        (cell.recurrent.weight, getattr(other, f"weight_hh_l0{suffix}")),
        (cell.input.bias, getattr(other, f"bias_ih_l0{suffix}")),
        (cell.recurrent.bias, getattr(other, f"bias_hh_l0{suffix}")),
    ]


def _theirs(kind: str, cells: list[Cell]) -> nn.RNNBase:
    other: Any = THEIRS[kind]
    built: nn.RNNBase = other(INPUT, HIDDEN, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for cell, suffix in zip(cells, ("", "_reverse"), strict=True):
            for ours, theirs in _pairs(cell, built, suffix):
                theirs.copy_(_permuted(kind, ours))
    return built


@every_cell
def test_cells_agree_with_pytorch_forward_and_backward(kind: str) -> None:
    """A cell with the gates permuted gives the outputs, final states and gradients of PyTorch's, in both directions."""
    cells = [_cell(kind, seed=1), _cell(kind, seed=2)]
    other = _theirs(kind, cells)
    ours = torch.randn(len(LENGTHS), 5, INPUT, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()

    runs = [run(cell, ours, LENGTHS, reverse=bool(direction)) for direction, cell in enumerate(cells)]
    outputs = torch.cat([outputs for outputs, _ in runs], dim=-1)
    final = torch.stack([final for _, (final, *_) in runs])
    packed, their_final = other(pack_padded_sequence(theirs, LENGTHS, batch_first=True, enforce_sorted=False))
    their_outputs, _ = pad_packed_sequence(packed, batch_first=True)
    their_final = their_final[0] if kind == "lstm" else their_final
    torch.testing.assert_close(outputs, their_outputs)
    torch.testing.assert_close(final, their_final)

    outputs_scale, final_scale = torch.randn_like(outputs), torch.randn_like(final)
    ((outputs * outputs_scale).sum() + (final * final_scale).sum()).backward()
    ((their_outputs * outputs_scale).sum() + (their_final * final_scale).sum()).backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    for cell, suffix in zip(cells, ("", "_reverse"), strict=True):
        for mine, their in _pairs(cell, other, suffix):
            assert mine.grad is not None
            torch.testing.assert_close(_permuted(kind, mine.grad), their.grad)


def test_lstm_cell_state_agrees_with_pytorch() -> None:
    """The LSTM's second state is PyTorch's cell state."""
    cell = _cell("lstm")
    other = nn.LSTMCell(INPUT, HIDDEN)
    with torch.no_grad():
        other.weight_ih.copy_(_permuted("lstm", cell.input.weight))
        other.weight_hh.copy_(_permuted("lstm", cell.recurrent.weight))
        other.bias_ih.copy_(_permuted("lstm", cell.input.bias))
        other.bias_hh.copy_(_permuted("lstm", cell.recurrent.bias))
    inputs, hidden, memory = torch.randn(2, INPUT), torch.randn(2, HIDDEN), torch.randn(2, HIDDEN)
    torch.testing.assert_close(cell.step(cell.project(inputs), (hidden, memory)), other(inputs, (hidden, memory)))


@every_cell
def test_step_gradients_agree_with_finite_differences(kind: str) -> None:
    """The gradients of one step are those of finite differences in float64."""
    cell = _cell(kind).double()
    inputs = torch.randn(2, INPUT, dtype=torch.float64, requires_grad=True)
    state = [torch.randn(2, HIDDEN, dtype=torch.float64, requires_grad=True) for _ in cell.state_names]
    assert torch.autograd.gradcheck(lambda x, *s: cell.step(cell.project(x), tuple(s)), (inputs, *state))


@every_cell
@both_directions
def test_run_gradients_agree_with_finite_differences(kind: str, reverse: bool) -> None:
    """The gradients through padded sentences are those of finite differences in float64."""
    cell = _cell(kind).double()
    inputs = torch.randn(2, 3, INPUT, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([3, 1])
    assert torch.autograd.gradcheck(lambda x: run(cell, x, lengths, reverse)[0], (inputs,))
    assert torch.autograd.gradcheck(lambda x: run(cell, x, lengths, reverse)[1], (inputs,))


@every_cell
@both_directions
def test_padding_gives_zeros_and_the_final_state_of_the_sentence_alone(kind: str, reverse: bool) -> None:
    """Outputs beyond a length are exactly zero, and everything else is what the unpadded sentence gives."""
    cell = _cell(kind)
    inputs = torch.randn(len(LENGTHS), 7, INPUT) * 10
    outputs, (final, *_) = run(cell, inputs, LENGTHS, reverse)
    for row, length in enumerate(LENGTHS.tolist()):
        alone, (alone_final, *_) = run(cell, inputs[row : row + 1, :length], torch.tensor([length]), reverse)
        assert not outputs[row, length:].any()
        torch.testing.assert_close(outputs[row, :length], alone[0])
        torch.testing.assert_close(final[row], alone_final[0])
        torch.testing.assert_close(final[row], outputs[row, 0 if reverse else length - 1], rtol=0, atol=0)


@every_cell
@both_directions
def test_no_gradient_flows_from_padding(kind: str, reverse: bool) -> None:
    """What stands in the padding gets no gradient and changes neither results nor the weights' gradients."""
    cell = _cell(kind)
    gradients, results = [], []
    inputs = torch.randn(len(LENGTHS), 7, INPUT)
    padding = torch.arange(7)[None, :] >= LENGTHS[:, None]
    scale = torch.randn(len(LENGTHS), 7, HIDDEN)
    for filling in (0.0, 1e3):
        filled = inputs.masked_fill(padding[:, :, None], filling).requires_grad_()
        cell.zero_grad()
        outputs, (final, *_) = run(cell, filled, LENGTHS, reverse)
        ((outputs * scale).sum() + final.square().sum()).backward()
        assert filled.grad is not None
        assert not filled.grad[padding].any()
        assert filled.grad[~padding].any()
        gradients.append([parameter.grad for parameter in cell.parameters()])
        results.append((outputs, final))
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)
    torch.testing.assert_close(gradients[0], gradients[1])


@every_cell
@both_directions
def test_an_empty_sentence_stays_at_the_initial_state(kind: str, reverse: bool) -> None:
    """A sentence of length 0 (an empty slot) gives zeros, not an error."""
    outputs, (final, *_) = run(_cell(kind), torch.randn(2, 3, INPUT), torch.tensor([0, 3]), reverse)
    assert not outputs[0].any()
    assert not final[0].any()
    assert final[1].any()


def test_lstm_starts_with_an_open_forget_gate() -> None:
    """A fresh LSTM's forget bias is one, and all other biases are zero."""
    cell = CELLS["lstm"](INPUT, HIDDEN)
    write, output, forget, candidate = cell.input.bias.chunk(4)
    assert forget.eq(1).all()
    assert not torch.cat([write, output, candidate, cell.recurrent.bias]).any()
