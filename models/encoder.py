"""The source side: embedded words to one annotation h_j for every position."""

from typing import cast

import torch
from torch import Tensor, nn

from models import fused
from models.cells import CELLS, Cell, State, run
from models.config import ModelConfig


class Encoder(nn.Module):
    """Read a sentence with stacked recurrent layers, in one or both directions (Schuster & Paliwal 1997)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.residual = config.residual
        self.drop = config.variational_dropout
        self.backward = (False, True) if config.bidirectional else (config.reverse_source,)  # of each direction
        self.memory_size = len(self.backward) * config.encoder_hidden_size
        sizes = [config.embedding_size] + [self.memory_size] * (config.encoder_layers - 1)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                CELLS[config.cell](size, config.encoder_hidden_size, config.layer_norm) for _ in self.backward
            )
            for size in sizes
        )

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """Encode embedded sentences (B, S, E) of `lengths` (B,).

        Returns the annotations h_j = [forward_j; backward_j] (B, S, M), zero beyond the lengths, and the last states of
        all layers from the bottom up, the directions side by side, [forward_S; backward_1] (B, M) each (Bahdanau et al.
        2015, 3.2).
        """
        if self.residual:  # the only way from the padding's embeddings to the annotations
            real = torch.arange(inputs.shape[1], device=inputs.device)[None, :] < lengths[:, None]
            inputs = inputs * real[:, :, None]
        states: State = ()
        for layer in self.layers:
            outputs, last = self._run([cast(Cell, cell) for cell in cast(nn.ModuleList, layer)], inputs, lengths)
            inputs = inputs + outputs if self.residual and inputs.shape[-1] == outputs.shape[-1] else outputs
            states += last
        return inputs, states

    def _run(self, cells: list[Cell], inputs: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """Run the directions of a layer; gives outputs (B, S, M) and last states (B, M)."""
        if all(fused.fits(cell, self.drop) for cell in cells) and bool((lengths > 0).all()):
            return fused.run(cells, inputs, lengths, self.backward == (True,))
        runs = [run(cell, inputs, lengths, back, self.drop) for cell, back in zip(cells, self.backward, strict=True)]
        states = zip(*(state for _, state in runs), strict=True)
        return torch.cat([outputs for outputs, _ in runs], -1), tuple(torch.cat(one, -1) for one in states)
