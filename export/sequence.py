"""The encoder by ONNX's recurrent operators, each of which a GPU runs as one kernel for a whole batch of sentences."""

from typing import cast

import torch
from torch import Tensor, nn

from models.cells import Cell, State
from models.seq2seq import Seq2Seq

# Cells stack their gates as the operators do; the GRU resets after its product, which it has to be told.
OPERATORS: dict[str, tuple[str, dict[str, int]]] = {
    "rnn": ("RNN", {}),
    "gru": ("GRU", {"linear_before_reset": 1}),
    "lstm": ("LSTM", {}),
}


def computes(model: Seq2Seq) -> bool:
    """Tell whether the operators compute what the encoder's cells do; they know no layer norm."""
    return model.config.cell in OPERATORS and not model.config.layer_norm


class EncoderSequenceGraph(nn.Module):
    """Turn source ids into the memory and the decoder's first state, as export.graphs.EncoderGraph does."""

    def __init__(self, prepared: Seq2Seq) -> None:
        super().__init__()
        self.model = prepared

    def forward(self, source_ids: Tensor, source_lengths: Tensor) -> tuple[Tensor, ...]:
        """Encode (B, S); gives the tensors of the memory, such as values (B, S, M), and one state (B, *) per name.

        All inside runs along the sentence first, as (S, B, *).
        """
        ids = source_ids.transpose(0, 1)
        real = torch.arange(ids.shape[0])[:, None, None] < source_lengths[None, :, None]  # (S, B, 1)
        encoder, decoder = self.model.encoder, self.model.decoder
        inputs = self.model.embed(self.model.source_embedding, ids)
        if encoder.residual:
            inputs = torch.where(real, inputs, 0)
        states: State = ()
        for layer in encoder.layers:
            cells = [cast(Cell, cell) for cell in cast(nn.ModuleList, layer)]
            outputs, last = _run(self.model.config.cell, cells, encoder.backward, inputs, source_lengths)
            outputs = torch.where(real, outputs, 0)  # the operators leave open what is beyond the lengths
            adds = encoder.residual and inputs.shape[-1] == outputs.shape[-1]
            inputs = inputs + outputs if adds else outputs
            states += last
        values = inputs.transpose(0, 1)
        memory = decoder.remember(values, states[-len(decoder.cell.state_names)], source_lengths)
        first = decoder.initial_state(values, states, source_lengths)
        return *memory.tensors.values(), *(tensor[:, 0] for tensor in first)


def _run(
    name: str, cells: list[Cell], backward: tuple[bool, ...], inputs: Tensor, lengths: Tensor
) -> tuple[Tensor, State]:
    """Run the directions of a layer by one operator over (S, B, input).

    Does what models.cells.run does for each. Gives the outputs (S, B, D * H) and the last states (B, D * H).
    """
    operator, attributes = OPERATORS[name]
    (steps, batch), directions, size = inputs.shape[:2], len(cells), cells[0].hidden_size
    direction = {(False,): "forward", (True,): "reverse", (False, True): "bidirectional"}[backward]
    sides = (  # matrices lie as products read them, (in, out), and operators read them as (out, in)
        [cell.input.weight.t() for cell in cells],
        [cell.recurrent.weight.t() for cell in cells],
        [torch.cat([cell.input.bias, cell.recurrent.bias]) for cell in cells],
    )
    outputs, *last = torch.onnx.ops.symbolic_multi_out(
        operator,
        [inputs, *(torch.stack(side) for side in sides), lengths.int()],
        {**attributes, "direction": direction, "hidden_size": size},
        dtypes=[inputs.dtype] * (1 + len(cells[0].state_names)),
        shapes=[(steps, directions, batch, size), *[(directions, batch, size) for _ in cells[0].state_names]],
    )
    states = tuple(state.transpose(0, 1).flatten(1) for state in last)
    return outputs.transpose(1, 2).flatten(2), states
