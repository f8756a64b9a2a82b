"""A cell whose input is no table of embeddings, with one product where models.cells has two.

On a GPU each operation of a step is a kernel of its own, which takes longer to start than to run.
"""

import torch
from torch import Tensor, nn

from models.cells import Cell, GRUCell, State


class JoinedCell(nn.Module):
    """Advance as a cell without layer norm does, by [x; h] [W; U] + (b + b').

    Only a GRU keeps U h apart, for its candidate: that takes a block of columns of its own, with zeros under it in W.
    """

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.input, self.recurrent = cell.input, cell.recurrent  # matrices (in, out), by the names that they had
        self.cell = cell

    def project(self, inputs: Tensor) -> Tensor:
        """Keep the input (..., input): it is multiplied together with the state."""
        return inputs

    def step(self, inputs: Tensor, state: State, mask: Tensor | None = None) -> State:
        """Advance the state (..., H) by one input (..., input)."""
        read, own, size = self.input, self.recurrent, self.cell.hidden_size
        if isinstance(self.cell, GRUCell):
            matrices = [_with_end(read.weight, size), _with_gap(own.weight, size)]
            biases = [_with_end(read.bias, size), _with_gap(own.bias, size)]
        else:
            matrices, biases = [read.weight, own.weight], [read.bias, own.bias]
        # In single precision, as ONNX Runtime adds no fp16 numbers when it loads.
        bias = (biases[0].float() + biases[1].float()).to(inputs.dtype)
        product = torch.matmul(torch.cat([inputs, state[0]], -1), torch.cat(matrices)) + bias
        return self.cell.advance(product, state)


def _with_end(tensor: Tensor, size: int) -> Tensor:
    """Put zeros behind the blocks of a matrix or a vector (..., 3H).

    They are concatenated: ONNX Runtime has no kernel that pads fp16 on a CPU, so that it would pad at each step.
    """
    return torch.cat([tensor, _zeros(tensor, size)], -1)


def _with_gap(tensor: Tensor, size: int) -> Tensor:
    """Put zeros between the first two blocks and the last one of a matrix or a vector (..., 3H)."""
    gates, new = tensor.split([2 * size, size], -1)
    return torch.cat([gates, _zeros(tensor, size), new], -1)


def _zeros(tensor: Tensor, size: int) -> Tensor:
    return tensor.new_zeros(*tensor.shape[:-1], size)
