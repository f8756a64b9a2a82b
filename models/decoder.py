"""The target side: one recurrence, `step`, that training loops over and the export writes down."""

from functools import reduce
from typing import cast

import torch
from torch import Tensor, nn

from models import fused
from models.attention import ATTENTIONS, Memory
from models.cells import CELLS, Cell, State
from models.config import ModelConfig

Masks = tuple[Tensor | None, ...]  # of the cells, in the order in which they step


class Decoder(nn.Module):
    """Generate with a context (Bahdanau et al. 2015, A.2.2), one layer or several above it.

    s_i = f(s_{i-1}, y_{i-1}, c_i), and `attends` says what c_i is made of:

    - before: c_i = attention(s_{i-1}).
    - between: s' = f_1(s_{i-1}, y_{i-1}), c_i = attention(s'), s_i = f_2(s', c_i) (Sennrich et al. 2017, eq. 1-6).
    - after: s_i = f(s_{i-1}, y_{i-1}), c_i = attention(s_i) of the top layer, read by the readout alone (Luong et al.
      2015, eq. 5). With input feeding f reads the last readout, too.

    A fixed context is the same c at every step (Cho et al. 2014, eq. 8), or none (Sutskever et al. 2014).
    """

    def __init__(self, config: ModelConfig, memory_size: int) -> None:
        super().__init__()
        hidden, readout = config.decoder_hidden_size, config.readout_size or config.embedding_size
        self.config = config
        self.attends, self.residual, self.readout_size = config.attends, config.residual, readout
        self.fixed = config.context == "fixed-every-step"
        context_size = 0
        if config.has_attention:
            self.attention = ATTENTIONS[config.context](hidden, memory_size, config.attention_size, config.heads)
            context_size = self.attention.context_size
        elif self.fixed:
            self.summary = nn.Linear(memory_size, memory_size)
            context_size = memory_size
        self.cell = self._cell(config.embedding_size)
        if config.attends == "between":
            self.context_cell = self._cell(context_size)
        elif config.attends == "before" and context_size:
            self.context_input = nn.Linear(context_size, self.cell.gates * hidden, bias=False)
        if config.input_feeding:
            self.feed_input = nn.Linear(readout, self.cell.gates * hidden, bias=False)
        self.upper = nn.ModuleList(self._cell(hidden) for _ in range(config.decoder_layers - 1))
        names = [f"{name}_{layer}" for layer in range(config.decoder_layers) for name in self.cell.state_names]
        self.state_sizes = dict.fromkeys(names, hidden) | ({"feed": readout} if config.input_feeding else {})
        if config.bridge != "copy":
            self.bridge = nn.Linear(memory_size, len(names) * hidden)
        self.readout_state = nn.Linear(hidden, readout)
        if config.readout_word:
            self.readout_input = nn.Linear(config.embedding_size, readout, bias=False)
        if context_size:
            self.readout_context = nn.Linear(context_size, readout, bias=False)

    def _cell(self, input_size: int) -> Cell:
        return CELLS[self.config.cell](input_size, self.config.decoder_hidden_size, self.config.layer_norm)

    @property
    def state_names(self) -> tuple[str, ...]:
        """Name what a hypothesis carries from step to step."""
        return tuple(self.state_sizes)

    @property
    def memory_sizes(self) -> dict[str, int]:
        """Return the width of each tensor of the memory; with attention they are (B, S, *), otherwise (B, *)."""
        config = self.config
        if config.has_attention:
            memory = config.encoder_hidden_size * (2 if config.bidirectional else 1)
            return self.attention.sizes(config.decoder_hidden_size, memory, config.attention_size)
        return {"context": self.cell.gates * config.decoder_hidden_size + self.readout_size} if self.fixed else {}

    def remember(self, values: Tensor, last: Tensor, lengths: Tensor) -> Memory:
        """Make the memory of annotations (B, S, M), and of the encoder's last outputs (B, M).

        A fixed context is c = tanh(V h_S) (Cho et al. 2014, 1.1); its products are the same at every step, so they are
        what is kept: those that the cell reads, and those that the readout does.
        """
        if self.config.has_attention:
            return self.attention.project(values, lengths)
        if not self.fixed:
            return Memory({}, lengths)
        context = torch.tanh(self.summary(last))
        return Memory({"context": torch.cat([self.context_input(context), self.readout_context(context)], -1)}, lengths)

    def initial_state(self, values: Tensor, states: State, lengths: Tensor) -> State:
        """Start from the encoder's last states: s_0 = tanh(W_s h) (A.2.2); one (B, 1, *) per state name."""
        per_layer = len(self.cell.state_names)
        count = per_layer * self.config.decoder_layers
        if self.config.bridge == "copy":
            first = tuple(state[:, None] for state in states)
        else:
            mean = values.sum(1) / lengths.clamp(min=1)[:, None] if self.config.bridge == "mean" else None
            read = states[-per_layer] if mean is None else mean
            first = torch.tanh(self.bridge(read))[:, None].chunk(count, dim=-1)
        if not self.config.input_feeding:
            return first
        return *first, first[0].new_zeros(first[0].shape[0], 1, self.readout_size)

    def look_up(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Multiply embedded words (..., E) by what reads them: the cell, (..., gates * H), and the readout, (..., R).

        Both are products of embeddings and depend on nothing else, so an export makes tables of them.
        """
        return self.cell.project(inputs), self.readout_input(inputs) if self.config.readout_word else None

    def step(
        self, projected: Tensor, read: Tensor | None, state: State, memory: Memory, masks: Masks | None = None
    ) -> tuple[State, Tensor | None, Tensor | None]:
        """Advance by one word.

        Args:
            projected: what `look_up` gives for the previous words, (B, W, gates * H).
            read: the same for the readout, (B, W, R).
            state: one (B, W, *) per entry of `state_names`.
            memory: of the B sentences, shared by their W hypotheses.
            masks: what the cells do not see of their states in training.

        Returns:
            The next state, the contexts (B, W, M) and the alignment weights (B, W, S), where there are any.
        """
        layers, (own, between, *above) = self._layers(state), masks or (None,) * (2 + len(self.upper))
        context = weights = None
        if self.attends == "between":
            first = self.cell.step(projected, layers[0], own)
            context, weights = self.attention(first[0], memory)
            first = self.context_cell.step(self.context_cell.project(context), first, between)
        else:
            if self.attends == "before" and self.config.has_attention:
                context, weights = self.attention(layers[0][0], memory)
                projected = projected + self.context_input(context)
            elif self.fixed:
                context = memory.tensors["context"][:, None]
                projected = projected + context[..., : projected.shape[-1]]
            elif self.config.input_feeding:
                projected = projected + self.feed_input(state[-1])
            first = self.cell.step(projected, layers[0], own)
        following, output = [first], first[0]
        for upper, previous, mask in zip(self.upper, layers[1:], above, strict=True):
            cell = cast(Cell, upper)
            after = cell.step(cell.project(output), previous, mask)
            output = output + after[0] if self.residual else after[0]
            following.append(after)
        if self.attends == "after":
            context, weights = self.attention(output, memory)
        advanced = tuple(tensor for layer in following for tensor in layer)
        if self.config.input_feeding:
            advanced = *advanced, self.readout(output, read, context)
        return advanced, context, weights

    def _layers(self, state: State) -> list[State]:
        per_layer = len(self.cell.state_names)
        return [state[i * per_layer : (i + 1) * per_layer] for i in range(self.config.decoder_layers)]

    def output(self, state: State) -> Tensor:
        """Take the output of the top layer (B, W, H) from a state."""
        tops = [layer[0] for layer in self._layers(state)]
        return reduce(torch.add, tops) if self.residual else tops[-1]

    def readout(self, output: Tensor, read: Tensor | None, context: Tensor | None) -> Tensor:
        """Combine s_i (..., H), what `look_up` gave of y_{i-1} (..., R) and c_i (..., M) for the softmax, to (..., R).

        The paper's maxout layer (A.2.2) is a tanh here, as in Nematus, so that it can share the embeddings' size.
        """
        total = self.readout_state(output)
        if read is not None:
            total = total + read
        if context is not None:
            total = total + (context[..., -self.readout_size :] if self.fixed else self.readout_context(context))
        return torch.tanh(total)

    def forward(self, inputs: Tensor, state: State, memory: Memory) -> Tensor:
        """Read given words, embedded (B, T, E); gives the readouts (B, T, R) that `step` leads to."""
        cells = [self.cell, *(cast(Cell, cell) for cell in self.upper)]
        drop = self.config.variational_dropout
        alone = self.attends == "after" or self.config.context == "fixed-initial"  # cells read nothing but words
        if alone and not self.config.input_feeding and all(fused.fits(cell, drop) for cell in cells):
            return self._unroll(cells, inputs, state, memory)
        projected, read = self.look_up(inputs)  # (B, T, gates * H), (B, T, R)
        reads = [None] * inputs.shape[1] if read is None else read.split(1, dim=1)
        between = [self.context_cell] if self.attends == "between" else [self.cell]
        masks = tuple(
            None if (mask := cell.mask(inputs, drop)) is None else mask[:, None]
            for cell in (cells[0], *between, *cells[1:])
        )
        outputs, contexts = [], []
        for word, read_word in zip(projected.split(1, dim=1), reads, strict=True):
            state, context, _ = self.step(word, read_word, state, memory, masks)
            outputs.append(state[-1] if self.config.input_feeding else self.output(state))
            contexts.append(context)
        if self.config.input_feeding:
            return torch.cat(outputs, 1)
        seen = None if contexts[0] is None else torch.cat(cast(list[Tensor], contexts), 1)
        return self.readout(torch.cat(outputs, 1), read, seen)

    def _unroll(self, cells: list[Cell], inputs: Tensor, state: State, memory: Memory) -> Tensor:
        """Run each layer over all words in one call, and attend for all of them at once."""
        first, *above = self._layers(state)
        output = fused.unroll(cells[0], inputs, first)
        for cell, layer in zip(cells[1:], above, strict=True):
            after = fused.unroll(cell, output, layer)
            output = output + after if self.residual else after
        context = self.attention(output, memory)[0] if self.config.has_attention else None
        read = self.readout_input(inputs) if self.config.readout_word else None
        return self.readout(output, read, context)
