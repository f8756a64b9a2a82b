"""Several models of one vocabulary that say together which word comes next."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from models.attention import Memory
from models.cells import State
from models.seq2seq import Seq2Seq

States = list[State]


class Ensemble:
    """Average the distributions of models (Sutskever et al. 2014, 3.6); one alone is as good as none.

    Models may differ in everything but the vocabulary.
    """

    def __init__(self, models: Sequence[Seq2Seq]) -> None:
        self.models = models

    @property
    def device(self) -> torch.device:
        """Return where the weights lie."""
        return self.models[0].output.weight.device

    def encode(self, source_ids: Tensor, lengths: Tensor) -> tuple[list[Memory], States]:
        """Read sentences (B, S) of `lengths` (B,); gives each model's memory and first state."""
        found = [model.encode(source_ids, lengths) for model in self.models]
        return [memory for memory, _ in found], [state for _, state in found]

    def step(self, previous_ids: Tensor, states: States, memories: Sequence[Memory]) -> tuple[Tensor, States]:
        """Score the word after `previous_ids` (B, W); gives log-probabilities (B, W, V) and the next states."""
        scores, following = [], []
        for model, state, memory in zip(self.models, states, memories, strict=True):
            logits, after, _ = model.step(previous_ids, state, memory)
            scores.append(torch.log_softmax(logits.float(), -1))
            following.append(after)
        return torch.logsumexp(torch.stack(scores), 0) - math.log(len(scores)), following
