"""The directions of an encoder's layer at once: a product for each, and all else for them together.

For few sentences a step's time goes into starting operators, and not into their numbers.
"""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor

from export.products import IntegerLinear, TransposedLinear
from models.cells import Cell, State

Step = Callable[[Tensor, State], State]


def together(cells: Sequence[Cell]) -> Step:
    """Return what Cell.step does, of D cells: by projected inputs (D, B, gates * H) it advances states (D, B, H)."""
    if cells[0].layer_norm:  # each direction normalizes by weights of its own
        return _apart(cells)
    linears = [cast(TransposedLinear | IntegerLinear, cell.recurrent) for cell in cells]
    integers = [linear for linear in linears if isinstance(linear, IntegerLinear)]  # all of them, or none
    scale = torch.stack([linear.scale for linear in integers])[:, None] if integers else None
    bias = torch.stack([linear.bias for linear in linears])[:, None]

    def step(projected: Tensor, state: State) -> State:
        hidden = state[0].split(1)
        sums = torch.cat([linear.multiply(one) for linear, one in zip(linears, hidden, strict=True)])
        product = sums if scale is None else sums.float() * scale
        return cells[0].meet(projected, product + bias, state)

    return step


def _apart(cells: Sequence[Cell]) -> Step:
    def step(projected: Tensor, state: State) -> State:
        each = zip(cells, projected.split(1), *(tensor.split(1) for tensor in state), strict=True)
        following = [cell.step(inputs, tuple(own)) for cell, inputs, *own in each]
        return tuple(torch.cat(tensors) for tensors in zip(*following, strict=True))

    return step
