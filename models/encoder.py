"""The source side: embedded words to one annotation h_j for every position."""

from typing import cast

import torch
from torch import Tensor, nn

from models.cells import CELLS, Cell, run
from models.config import ModelConfig


class Encoder(nn.Module):
    """Read a sentence with stacked recurrent layers, in one or both directions (Schuster & Paliwal 1997)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.residual = config.residual
        directions = 2 if config.bidirectional else 1
        self.memory_size = directions * config.encoder_hidden_size
        sizes = [config.embedding_size] + [self.memory_size] * (config.encoder_layers - 1)
        self.layers = nn.ModuleList(
            nn.ModuleList(CELLS[config.cell](size, config.encoder_hidden_size) for _ in range(directions))
            for size in sizes
        )

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encode embedded sentences (B, S, E) of `lengths` (B,).

        Returns the annotations h_j = [forward_j; backward_j] (B, S, M), zero beyond the lengths, and the last state of
        each direction, [forward_S; backward_1] (B, M) (Bahdanau et al. 2015, 3.2).
        """
        if self.residual:  # the only way from the padding's embeddings to the annotations
            real = torch.arange(inputs.shape[1], device=inputs.device)[None, :] < lengths[:, None]
            inputs = inputs * real[:, :, None]
        for layer in self.layers:
            runs = [
                run(cast(Cell, cell), inputs, lengths, reverse=bool(d))
                for d, cell in enumerate(cast(nn.ModuleList, layer))
            ]
            outputs = torch.cat([outputs for outputs, _ in runs], dim=-1)  # (B, S, M)
            final = torch.cat([final for _, final in runs], dim=-1)  # (B, M)
            inputs = inputs + outputs if self.residual and inputs.shape[-1] == outputs.shape[-1] else outputs
        return inputs, final
