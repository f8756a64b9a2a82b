"""Where a decoder looks: weights over the source positions, and the context they select."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Memory(NamedTuple):
    """What the encoder leaves for the decoder; computed once a sentence, whatever its target length."""

    keys: Tensor  # (B, S, A)
    values: Tensor  # (B, S, M)
    lengths: Tensor  # (B,), 0 marks an empty slot


class AdditiveAttention(nn.Module):
    """Align by a feed-forward network (Bahdanau et al. 2015, A.1.2): e_ij = v . tanh(W s + U h_j).

    The keys U h_j do not depend on the decoder, so `project` computes them once a sentence.
    """

    def __init__(self, query_size: int, memory_size: int, attention_size: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, attention_size, bias=False)
        self.key = nn.Linear(memory_size, attention_size)
        self.energy = nn.Linear(attention_size, 1, bias=False)

    def project(self, values: Tensor, lengths: Tensor) -> Memory:
        """Turn encoder outputs (B, S, M) into a memory with its keys (B, S, A)."""
        return Memory(self.key(values), values, lengths)

    def forward(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Attend from queries (B, W, H) to a memory.

        Returns the contexts c_i = sum_j alpha_ij h_j (B, W, M) and the weights alpha (B, W, S), which are exactly
        zero beyond the sentence's length (and uniform where that length is 0).
        """
        energies = torch.tanh(self.query(query)[:, :, None] + memory.keys[:, None])  # (B, W, S, A)
        energies = self.energy(energies).squeeze(-1)  # (B, W, S)
        positions = torch.arange(memory.keys.shape[1], device=query.device)
        real = positions[None, None, :] < memory.lengths[:, None, None]  # (B, 1, S)
        # -1e4 is finite in half precision, and exp(-1e4 - max) is exactly 0 beside any real energy.
        weights = torch.softmax(energies.float().masked_fill(~real, -1e4), dim=-1)
        return torch.matmul(weights.to(memory.values.dtype), memory.values), weights


ATTENTIONS = {"additive": AdditiveAttention}
