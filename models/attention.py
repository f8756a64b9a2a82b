"""Where a decoder looks: weights over the source positions, and the context they select."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Memory(NamedTuple):
    """What the encoder leaves for the decoder; computed once a sentence, whatever its target length."""

    tensors: dict[str, Tensor]  # (B, S, *) each, or (B, *)
    lengths: Tensor  # (B,), 0 marks an empty slot

    @property
    def values(self) -> Tensor:
        """Return the annotations h_j (B, S, M)."""
        return self.tensors["values"]


class Attention(nn.Module, ABC):
    """Select a context by energies e_ij, which a subclass defines between a query s_i and an annotation h_j.

    The part of an energy that does not depend on the decoder is its key, which `project` computes once a sentence.
    """

    key: nn.Module

    def __init__(self, query_size: int, memory_size: int, attention_size: int, heads: int = 1) -> None:
        super().__init__()
        self.context_size = heads * memory_size

    @staticmethod
    def sizes(query_size: int, memory_size: int, attention_size: int) -> dict[str, int]:
        """Return the width of each tensor of the memory, (B, S, *)."""
        return {"keys": attention_size, "values": memory_size}

    def project(self, values: Tensor, lengths: Tensor) -> Memory:
        """Turn annotations (B, S, M) into a memory with their keys (B, S, *)."""
        return Memory({"keys": self.key(values), "values": values}, lengths)

    @abstractmethod
    def energies(self, query: Tensor, memory: Memory) -> Tensor:
        """Compare queries (B, W, H) with a memory; gives (B, W, S), or (B, W, heads, S)."""

    def forward(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Attend from queries (B, W, H) to a memory.

        Returns the contexts c_i = sum_j alpha_ij h_j (B, W, M) and the weights alpha (B, W, S), which are exactly
        zero beyond the sentence's length (and uniform where that length is 0).
        """
        weights = self._weights(self.energies(query, memory), memory)
        return torch.matmul(weights.to(memory.values.dtype), memory.values), weights

    @staticmethod
    def _weights(energies: Tensor, memory: Memory) -> Tensor:
        positions = torch.arange(memory.values.shape[1], device=energies.device)
        real = positions < memory.lengths[(..., *(None,) * (energies.ndim - 1))]  # (B, 1, S), or (B, 1, 1, S)
        # -1e4 is finite in half precision, and exp(-1e4 - max) is exactly 0 beside any real energy.
        energies = energies.to(torch.promote_types(energies.dtype, torch.float32))
        return torch.softmax(torch.where(real, energies, -1e4), dim=-1)


class AdditiveAttention(Attention):
    """Align by a feed-forward network (Bahdanau et al. 2015, A.1.2): e_ij = v . tanh(W s + U h_j)."""

    def __init__(self, query_size: int, memory_size: int, attention_size: int, heads: int = 1) -> None:
        super().__init__(query_size, memory_size, attention_size, heads)
        self.query = nn.Linear(query_size, attention_size, bias=False)
        self.key = nn.Linear(memory_size, attention_size)
        self.energy = nn.Linear(attention_size, 1, bias=False)

    def energies(self, query: Tensor, memory: Memory) -> Tensor:
        """Compare queries (B, W, H) with a memory; gives (B, W, S)."""
        energies: Tensor = self.energy(_hidden(self.query(query), memory)).squeeze(-1)
        return energies


def _hidden(query: Tensor, memory: Memory) -> Tensor:
    """Return tanh(W s + U h_j) (B, W, S, A), given W s."""
    return torch.tanh(query[:, :, None] + memory.tensors["keys"][:, None])


class ConcatAttention(AdditiveAttention):
    """Luong et al. 2015, eq. 8: e_ij = v . tanh(W [s; h_j]).

    W [s; h_j] = W_1 s + W_2 h_j, so this is Bahdanau's energy without a bias, and the second half is a key.
    """

    def __init__(self, query_size: int, memory_size: int, attention_size: int, heads: int = 1) -> None:
        super().__init__(query_size, memory_size, attention_size, heads)
        self.key = nn.Linear(memory_size, attention_size, bias=False)


class MultiHeadAttention(Attention):
    """Align by several additive energies, each of its own part of the A units (Vaswani et al. 2017, 3.2.2).

    The contexts of the heads stand side by side (B, W, heads * M): what reads them holds the heads' value matrices, so
    that the memory is that of a single head. The alignment is the mean of the heads' weights.
    """

    def __init__(self, query_size: int, memory_size: int, attention_size: int, heads: int = 1) -> None:
        super().__init__(query_size, memory_size, attention_size, heads)
        self.heads = heads
        self.query = nn.Linear(query_size, attention_size, bias=False)
        self.key = nn.Linear(memory_size, attention_size)
        self.energy = nn.Parameter(torch.empty(attention_size).uniform_(-1, 1) * (heads / attention_size) ** 0.5)

    def energies(self, query: Tensor, memory: Memory) -> Tensor:
        """Compare queries (B, W, H) with a memory; gives (B, W, heads, S)."""
        parts = (_hidden(self.query(query), memory) * self.energy).unflatten(-1, (self.heads, -1))
        energies: Tensor = parts.sum(-1).transpose(-1, -2)
        return energies

    def forward(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Attend from queries (B, W, H); gives the contexts (B, W, heads * M) and the mean weights (B, W, S)."""
        weights = self._weights(self.energies(query, memory), memory)  # (B, W, heads, S)
        contexts = torch.matmul(weights.to(memory.values.dtype), memory.values[:, None])
        return contexts.flatten(-2), weights.mean(-2)


class GeneralAttention(Attention):
    """Luong et al. 2015, eq. 8: e_ij = s . (W h_j)."""

    def __init__(self, query_size: int, memory_size: int, attention_size: int, heads: int = 1) -> None:
        super().__init__(query_size, memory_size, attention_size, heads)
        self.key = nn.Linear(memory_size, query_size, bias=False)

    @staticmethod
    def sizes(query_size: int, memory_size: int, attention_size: int) -> dict[str, int]:
        """Return the width of each tensor of the memory, (B, S, *)."""
        return {"keys": query_size, "values": memory_size}

    def energies(self, query: Tensor, memory: Memory) -> Tensor:
        """Compare queries (B, W, H) with a memory; gives (B, W, S)."""
        return torch.matmul(query, memory.tensors["keys"].transpose(-1, -2))


class DotAttention(Attention):
    """Luong et al. 2015, eq. 8: e_ij = s . h_j; annotations are as wide as queries, and their own keys."""

    @staticmethod
    def sizes(query_size: int, memory_size: int, attention_size: int) -> dict[str, int]:
        """Return the width of each tensor of the memory, (B, S, *)."""
        return {"values": memory_size}

    def project(self, values: Tensor, lengths: Tensor) -> Memory:
        """Keep annotations (B, S, M) as they are."""
        return Memory({"values": values}, lengths)

    def energies(self, query: Tensor, memory: Memory) -> Tensor:
        """Compare queries (B, W, H) with a memory; gives (B, W, S)."""
        return torch.matmul(query, memory.values.transpose(-1, -2))


ATTENTIONS: dict[str, type[Attention]] = {
    "additive": AdditiveAttention,
    "dot": DotAttention,
    "general": GeneralAttention,
    "concat": ConcatAttention,
    "multi-head": MultiHeadAttention,
}
