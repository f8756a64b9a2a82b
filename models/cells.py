"""Recurrent cells written from their equations, with explicit gates.

A cell maps an input x_t and a state to the next state: `project` does the part that needs no state (all steps of a
sentence in one product), `step` the rest. The state is a tuple whose first entry is the output h_t. Gates are stacked
in the order of the ONNX operators of the same name, so that an export copies the matrices as they are.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...]


class Cell(nn.Module, ABC):
    """Hold the input product W x + b and the recurrent product U h of all gates."""

    gates: int
    state_names: tuple[str, ...] = ("hidden",)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, self.gates * hidden_size)
        self.recurrent = nn.Linear(hidden_size, self.gates * hidden_size)
        for block in range(self.gates):
            rows = slice(block * hidden_size, (block + 1) * hidden_size)
            nn.init.xavier_uniform_(self.input.weight[rows])
            nn.init.orthogonal_(self.recurrent.weight[rows])
        nn.init.zeros_(self.input.bias)
        nn.init.zeros_(self.recurrent.bias)

    def project(self, inputs: Tensor) -> Tensor:
        """Multiply inputs (..., input) by W and add b; gives (..., gates * H)."""
        product: Tensor = self.input(inputs)
        return product

    def initial_state(self, inputs: Tensor) -> State:
        """Return zeros (B, H) on the device of `inputs` (B, ...), of the biases' type: matrices may be of int8."""
        zeros = torch.zeros(inputs.shape[0], self.hidden_size, dtype=self.recurrent.bias.dtype, device=inputs.device)
        return tuple(zeros for _ in self.state_names)

    @abstractmethod
    def step(self, projected: Tensor, state: State) -> State:
        """Advance the state (..., H) by one projected input (..., gates * H)."""


class RNNCell(Cell):
    """h_t = tanh(W x_t + U h_{t-1} + b) (Elman 1990)."""

    gates = 1

    def step(self, projected: Tensor, state: State) -> State:
        """Advance the state (..., H) by one projected input (..., H)."""
        return (torch.tanh(projected + self.recurrent(state[0])),)


class GRUCell(Cell):
    """Gated recurrent unit (Cho et al. 2014, eq. 5-8), the reset gate after the recurrent product.

    z = sigmoid(W_z x + U_z h), r = sigmoid(W_r x + U_r h), n = tanh(W_n x + r * (U_n h)), h' = (1 - z) * n + z * h.
    The paper resets before the product; after it, all three recurrent products are one, as in cuDNN and PyTorch.
    """

    gates = 3  # z, r, n

    def step(self, projected: Tensor, state: State) -> State:
        """Advance the state (..., H) by one projected input (..., 3H)."""
        (hidden,) = state
        size = self.hidden_size
        x_gates, x_new = projected.split([2 * size, size], dim=-1)
        h_gates, h_new = self.recurrent(hidden).split([2 * size, size], dim=-1)
        update, reset = torch.sigmoid(x_gates + h_gates).chunk(2, dim=-1)
        new = torch.tanh(x_new + reset * h_new)
        return (new + update * (hidden - new),)


class LSTMCell(Cell):
    """Long short-term memory with a forget gate (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

    i, o, f = sigmoid(W x + U h), g = tanh(W_g x + U_g h), c' = f * c + i * g, h' = o * tanh(c').
    """

    gates = 4  # i, o, f, g
    state_names = ("hidden", "cell")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        # A cell that remembers at first learns long dependencies sooner (Jozefowicz et al. 2015).
        nn.init.ones_(self.input.bias[2 * hidden_size : 3 * hidden_size])

    def step(self, projected: Tensor, state: State) -> State:
        """Advance the state (..., H), (..., H) by one projected input (..., 4H)."""
        hidden, cell = state
        size = self.hidden_size
        gates, candidate = (projected + self.recurrent(hidden)).split([3 * size, size], dim=-1)
        write, output, forget = torch.sigmoid(gates).chunk(3, dim=-1)
        cell = forget * cell + write * torch.tanh(candidate)
        return output * torch.tanh(cell), cell


CELLS: dict[str, Callable[[int, int], Cell]] = {"rnn": RNNCell, "gru": GRUCell, "lstm": LSTMCell}


def run(cell: Cell, inputs: Tensor, lengths: Tensor, reverse: bool = False) -> tuple[Tensor, Tensor]:
    """Run a cell over padded sentences (B, S, input), from the last word backwards if `reverse`.

    Beyond `lengths` (B,) the state does not move and the outputs are zero, so padding changes nothing.
    Returns the outputs (B, S, H) and the final output (B, H) of each sentence.
    """
    # unbind, not indexing: its backward fills one tensor, where S slices would fill S of them.
    projected = cell.project(inputs).unbind(1)  # S times (B, gates * H)
    steps = inputs.shape[1]
    real = torch.arange(steps, device=inputs.device)[None, :] < lengths[:, None]  # (B, S)
    state = cell.initial_state(inputs)
    outputs: list[Tensor] = [state[0]] * steps
    for t in reversed(range(steps)) if reverse else range(steps):
        mask = real[:, t, None]
        after = cell.step(projected[t], state)
        state = tuple(torch.where(mask, new, old) for new, old in zip(after, state, strict=True))
        outputs[t] = state[0]
    return torch.stack(outputs, dim=1) * real[:, :, None], state[0]
