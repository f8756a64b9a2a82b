"""The target side: one recurrence, `step`, that training loops over and the export writes down."""

from typing import cast

import torch
from torch import Tensor, nn

from models.attention import ATTENTIONS, Memory
from models.cells import CELLS, Cell, State
from models.config import ModelConfig


class Decoder(nn.Module):
    """Generate with attention (Bahdanau et al. 2015, A.2.2), one layer or several above it.

    s_i = f(s_{i-1}, y_{i-1}, c_i), c_i = attention(s_{i-1}). If `conditional`, the query has read y_{i-1}:
    s' = f_1(s_{i-1}, y_{i-1}), c_i = attention(s'), s_i = f_2(s', c_i) (Sennrich et al. 2017, eq. 1-6).
    """

    def __init__(self, config: ModelConfig, memory_size: int) -> None:
        super().__init__()
        build, hidden = CELLS[config.cell], config.decoder_hidden_size
        self.conditional = config.conditional
        self.residual = config.residual
        self.attention = ATTENTIONS[config.attention](hidden, memory_size, config.attention_size)
        self.cell = build(config.embedding_size, hidden)
        if config.conditional:
            self.context_cell = build(memory_size, hidden)
        else:
            self.context_input = nn.Linear(memory_size, self.cell.gates * hidden, bias=False)
        self.upper = nn.ModuleList(build(hidden, hidden) for _ in range(config.decoder_layers - 1))
        names = self.cell.state_names
        self.state_names = tuple(f"{name}_{layer}" for layer in range(config.decoder_layers) for name in names)
        self.bridge = nn.Linear(memory_size, len(self.state_names) * hidden)
        self.readout_state = nn.Linear(hidden, config.embedding_size)
        self.readout_input = nn.Linear(config.embedding_size, config.embedding_size, bias=False)
        self.readout_context = nn.Linear(memory_size, config.embedding_size, bias=False)

    def initial_state(self, final: Tensor) -> State:
        """Start from the encoder's last states (B, M): s_0 = tanh(W_s h) (A.2.2); one (B, 1, H) per state name."""
        return torch.tanh(self.bridge(final))[:, None].chunk(len(self.state_names), dim=-1)

    def step(self, projected: Tensor, state: State, memory: Memory) -> tuple[State, Tensor, Tensor]:
        """Advance by one word.

        Args:
            projected: `cell.project` of the previous words' embeddings, (B, W, gates * H).
            state: one (B, W, H) per entry of `state_names`.
            memory: of the B sentences, shared by their W hypotheses.

        Returns:
            The next state, the contexts (B, W, M) and the alignment weights (B, W, S).
        """
        per_layer = len(self.cell.state_names)
        layers = [state[i : i + per_layer] for i in range(0, len(state), per_layer)]
        if self.conditional:
            first = self.cell.step(projected, layers[0])
            context, weights = self.attention(first[0], memory)
            first = self.context_cell.step(self.context_cell.project(context), first)
        else:
            context, weights = self.attention(layers[0][0], memory)
            first = self.cell.step(projected + self.context_input(context), layers[0])
        following, output = [first], first[0]
        for upper, previous in zip(self.upper, layers[1:], strict=True):
            cell = cast(Cell, upper)
            after = cell.step(cell.project(output), previous)
            output = output + after[0] if self.residual else after[0]
            following.append(after)
        return tuple(tensor for layer in following for tensor in layer), context, weights

    def output(self, state: State) -> Tensor:
        """Take the output of the top layer (B, W, H) from a state."""
        tops = state[:: len(self.cell.state_names)]
        return torch.stack(tops).sum(0) if self.residual else tops[-1]

    def readout(self, output: Tensor, read: Tensor, context: Tensor) -> Tensor:
        """Combine s_i (..., H), `readout_input` of y_{i-1} (..., E) and c_i (..., M) for the softmax; gives (..., E).

        The paper's maxout layer (A.2.2) is a tanh here, as in Nematus, so that it can share the embeddings' size.
        """
        return torch.tanh(self.readout_state(output) + read + self.readout_context(context))
