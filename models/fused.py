"""The cells' equations by PyTorch's own kernels, which run a whole sentence in one call.

`models.cells` defines what is computed; this is the same, faster, and tests hold the two together. Kernels know neither
layer norm, dropout of states nor products in int8: `fits` tells.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from models.cells import Cell, GRUCell, LSTMCell, RNNCell, State

# On a GPU; the weights are ours, put into PyTorch's order in each update.
warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")
# PyTorch's order of gates in ours: GRU r, z, n in z, r, n; LSTM i, f, g, o in i, o, f, g.
ORDER = {RNNCell: (0,), GRUCell: (1, 0, 2), LSTMCell: (0, 2, 3, 1)}
KERNELS: dict[type[Cell], Callable[..., Any]] = {
    RNNCell: torch._VF.rnn_tanh,
    GRUCell: torch._VF.gru,
    LSTMCell: torch._VF.lstm,
}


def fits(cell: Cell, drop: float) -> bool:
    """Tell whether a kernel computes what the cell does, `drop` being the share of units that steps do not see.

    Those of a CPU compute in fp32 where bf16 is asked for, so they are left out there.
    """
    plain = type(cell.input) is nn.Linear and type(cell.recurrent) is nn.Linear
    lower = not cell.input.weight.is_cuda and torch.is_autocast_enabled("cpu")
    return plain and not cell.layer_norm and not (drop and cell.training) and not lower


def run(cells: Sequence[Cell], inputs: Tensor, lengths: Tensor, backward: bool) -> tuple[Tensor, State]:
    """Run one cell, `backward` or not, or one in each direction, over padded sentences (B, S, input), none empty.

    Does what models.cells.run does: gives the outputs (B, S, D * H), and the final states side by side, (B, D * H).
    """
    if backward:
        order = _turned(lengths, inputs.shape[1])
        outputs, state = run(cells, _ordered(inputs, order), lengths, False)
        return _ordered(outputs, order) * _real(lengths, inputs.shape[1]), state
    packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
    state = tuple(tensor.repeat(len(cells), 1, 1) for tensor in cells[0].initial_state(inputs))  # (D, B, H)
    weights = [weight for cell in cells for weight in _weights(cell)]
    data, following = _call(cells[0], (packed.data, packed.batch_sizes), state, weights, len(cells) == 2)
    kept = PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
    outputs, _ = pad_packed_sequence(kept, batch_first=True, total_length=inputs.shape[1])
    assert packed.unsorted_indices is not None
    final = (tensor.index_select(1, packed.unsorted_indices) for tensor in following)
    return outputs, tuple(torch.cat(tensor.unbind(0), dim=-1) for tensor in final)


def unroll(cell: Cell, inputs: Tensor, state: State) -> Tensor:
    """Advance a state, (B, 1, H) each, by inputs (B, T, input); gives the outputs (B, T, H)."""
    first = tuple(tensor.transpose(0, 1).contiguous() for tensor in state)  # (1, B, H)
    outputs, _ = _call(cell, (inputs,), first, _weights(cell), False)
    return outputs


def _call(
    cell: Cell, inputs: tuple[Tensor, ...], state: State, weights: list[Tensor], both: bool
) -> tuple[Tensor, State]:
    """Run a kernel over packed inputs (data, batch sizes), or padded ones (B, T, input), in the type of the weights.

    Under autocast PyTorch runs cuDNN's in fp16, whatever type is asked for, and nobody scales the loss: many gradients
    would be too small for it.
    """
    data, *sizes = inputs
    kind = cell.input.weight.dtype
    states = tuple(tensor.to(kind) for tensor in state)
    first: Any = states if len(states) > 1 else states[0]
    padded = [] if sizes else [True]
    with torch.autocast(data.device.type, enabled=False):
        outputs, *following = KERNELS[type(cell)](
            data.to(kind), *sizes, first, weights, True, 1, 0.0, cell.training, both, *padded
        )
    return outputs, tuple(following)


def _weights(cell: Cell) -> list[Tensor]:
    ours = (cell.input.weight, cell.recurrent.weight, cell.input.bias, cell.recurrent.bias)
    if len(ORDER[type(cell)]) == 1:
        return list(ours)
    return [torch.cat([tensor.chunk(cell.gates)[i] for i in ORDER[type(cell)]]) for tensor in ours]


def _turned(lengths: Tensor, steps: int) -> Tensor:
    """Say which word stands where when each sentence is read from behind, (B, S); padding stays where it is."""
    places = torch.arange(steps, device=lengths.device)[None, :]
    return torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)


def _ordered(tensor: Tensor, order: Tensor) -> Tensor:
    return tensor.gather(1, order[:, :, None].expand(-1, -1, tensor.shape[-1]))


def _real(lengths: Tensor, steps: int) -> Tensor:
    return (torch.arange(steps, device=lengths.device)[None, :] < lengths[:, None])[:, :, None]
