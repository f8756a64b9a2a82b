"""Recurrent cells written from their equations, with explicit gates.

A cell maps an input x_t and a state to the next state: `project` does the part that needs no state (all steps of a
sentence in one product), `step` the rest. The state is a tuple whose first entry is the output h_t. Gates are stacked
in the order of the ONNX operators of the same name, so that an export copies the matrices as they are.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

State = tuple[Tensor, ...]


class Cell(nn.Module, ABC):
    """Hold the input product W x + b and the recurrent product U h of all gates.

    With `layer_norm` each product is normalized before they are added (Ba et al. 2016, eq. 20).
    """

    gates: int
    state_names: tuple[str, ...] = ("hidden",)

    def __init__(self, input_size: int, hidden_size: int, layer_norm: bool = False) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.layer_norm = layer_norm
        self.input = nn.Linear(input_size, self.gates * hidden_size)
        self.recurrent = nn.Linear(hidden_size, self.gates * hidden_size)
        self.input_norm = self._norm(self.gates * hidden_size)
        self.recurrent_norm = self._norm(self.gates * hidden_size)
        for block in range(self.gates):
            rows = slice(block * hidden_size, (block + 1) * hidden_size)
            nn.init.xavier_uniform_(self.input.weight[rows])
            nn.init.orthogonal_(self.recurrent.weight[rows])
        nn.init.zeros_(self.input.bias)
        nn.init.zeros_(self.recurrent.bias)

    def _norm(self, size: int) -> nn.Module:
        return nn.LayerNorm(size) if self.layer_norm else nn.Identity()

    def project(self, inputs: Tensor) -> Tensor:
        """Multiply inputs (..., input) by W and add b; gives (..., gates * H)."""
        product: Tensor = self.input_norm(self.input(inputs))
        return product

    def recur(self, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Multiply outputs (..., H), seen through a mask (..., H) if there is one, by U; gives (..., gates * H)."""
        product: Tensor = self.recurrent_norm(self.recurrent(hidden if mask is None else hidden * mask))
        return product

    def initial_state(self, inputs: Tensor) -> State:
        """Return zeros (B, H) on the device of `inputs` (B, ...), of the biases' type: matrices may be of int8."""
        zeros = torch.zeros(inputs.shape[0], self.hidden_size, dtype=self.recurrent.bias.dtype, device=inputs.device)
        return tuple(zeros for _ in self.state_names)

    def mask(self, inputs: Tensor, share: float) -> Tensor | None:
        """Draw which units U h does not see in any step of a sentence (Gal & Ghahramani 2016); (B, H), or none."""
        if not self.training or not share:
            return None
        return dropout(torch.ones(inputs.shape[0], self.hidden_size, device=inputs.device), share)

    def step(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        """Advance the state (..., H) by one projected input (..., gates * H)."""
        return self.meet(projected, self.recur(state[0], mask), state)

    def meet(self, projected: Tensor, recurrent: Tensor, state: State) -> State:
        """Advance the state (..., H) by both products (..., gates * H)."""
        return self.advance(projected + recurrent, state)

    @abstractmethod
    def advance(self, joined: Tensor, state: State) -> State:
        """Advance the state (..., H) by W x + U h + b (..., *), summed where the equations have nothing but the sum."""


class RNNCell(Cell):
    """h_t = tanh(W x_t + U h_{t-1} + b) (Elman 1990)."""

    gates = 1

    def advance(self, joined: Tensor, state: State) -> State:
        """Advance the state (..., H) by the sum (..., H)."""
        return (torch.tanh(joined),)


class GRUCell(Cell):
    """Gated recurrent unit (Cho et al. 2014, eq. 5-8), the reset gate after the recurrent product.

    z = sigmoid(W_z x + U_z h), r = sigmoid(W_r x + U_r h), n = tanh(W_n x + r * (U_n h)), h' = (1 - z) * n + z * h.
    The paper resets before the product; after it, all three recurrent products are one, as in cuDNN and PyTorch.
    """

    gates = 3  # z, r, n

    def meet(self, projected: Tensor, recurrent: Tensor, state: State) -> State:
        """Advance the state (..., H) by both products (..., 3H), of which the reset gate sees one."""
        size = self.hidden_size
        x_gates, x_new = projected.split([2 * size, size], dim=-1)
        h_gates, h_new = recurrent.split([2 * size, size], dim=-1)
        return self._blend(x_gates + h_gates, x_new, h_new, state)

    def advance(self, joined: Tensor, state: State) -> State:
        """Advance the state (..., H) by the sums of z and r, W_n x + b and U_n h + b (..., 4H)."""
        size = self.hidden_size
        gates, x_new, h_new = joined.split([2 * size, size, size], dim=-1)
        return self._blend(gates, x_new, h_new, state)

    def _blend(self, gates: Tensor, x_new: Tensor, h_new: Tensor, state: State) -> State:
        (hidden,) = state
        update, reset = torch.sigmoid(gates).chunk(2, dim=-1)
        new = torch.tanh(x_new + reset * h_new)
        return (new + update * (hidden - new),)


class LSTMCell(Cell):
    """Long short-term memory with a forget gate (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

    i, o, f = sigmoid(W x + U h), g = tanh(W_g x + U_g h), c' = f * c + i * g, h' = o * tanh(c').
    """

    gates = 4  # i, o, f, g
    state_names = ("hidden", "cell")

    def __init__(self, input_size: int, hidden_size: int, layer_norm: bool = False) -> None:
        super().__init__(input_size, hidden_size, layer_norm)
        self.cell_norm = self._norm(hidden_size)  # Ba et al. 2016, eq. 22
        # A cell that remembers at first learns long dependencies sooner (Jozefowicz et al. 2015).
        bias = self.input_norm.bias if isinstance(self.input_norm, nn.LayerNorm) else self.input.bias
        nn.init.ones_(bias[2 * hidden_size : 3 * hidden_size])

    def advance(self, joined: Tensor, state: State) -> State:
        """Advance the state (..., H), (..., H) by the sum (..., 4H)."""
        size = self.hidden_size
        gates, candidate = joined.split([3 * size, size], dim=-1)
        write, output, forget = torch.sigmoid(gates).chunk(3, dim=-1)
        cell = forget * state[1] + write * torch.tanh(candidate)
        return output * torch.tanh(self.cell_norm(cell)), cell


CELLS: dict[str, type[Cell]] = {"rnn": RNNCell, "gru": GRUCell, "lstm": LSTMCell}


def run(cell: Cell, inputs: Tensor, lengths: Tensor, reverse: bool = False, drop: float = 0.0) -> tuple[Tensor, State]:
    """Run a cell over padded sentences (B, S, input), from the last word backwards if `reverse`.

    Beyond `lengths` (B,) the state does not move and the outputs are zero, so padding changes nothing. `drop` is the
    share of units that `Cell.mask` hides in training. Returns the outputs (B, S, H) and the final state, (B, H) each.
    """
    # unbind, not indexing: its backward fills one tensor, where S slices would fill S of them.
    projected = cell.project(inputs).unbind(1)  # S times (B, gates * H)
    steps = inputs.shape[1]
    real = torch.arange(steps, device=inputs.device)[None, :] < lengths[:, None]  # (B, S)
    state, hidden = cell.initial_state(inputs), cell.mask(inputs, drop)
    outputs: list[Tensor] = [state[0]] * steps
    for t in reversed(range(steps)) if reverse else range(steps):
        mask = real[:, t, None]
        after = cell.step(projected[t], state, hidden)
        state = tuple(torch.where(mask, new, old) for new, old in zip(after, state, strict=True))
        outputs[t] = state[0]
    return torch.stack(outputs, dim=1) * real[:, :, None], state
