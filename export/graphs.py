"""The graphs of a bundle as PyTorch modules; what they compute is defined in models/, they only rearrange it."""

import copy
from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from export.products import IntegerLinear, TransposedLinear
from export.quantized import QuantizedLinear
from models.attention import Memory
from models.cells import Cell, GRUCell, LSTMCell, RNNCell
from models.encoder import Encoder
from models.seq2seq import Seq2Seq

OPERATORS: dict[type[Cell], str] = {RNNCell: "RNN", GRUCell: "GRU", LSTMCell: "LSTM"}
SETTINGS = {"GRU": {"linear_before_reset": 1}}  # the reset gate comes after the recurrent product


def prepare(model: Seq2Seq) -> Seq2Seq:
    """Copy a model with its encoder as ONNX operators and every matrix in the layout that its product reads.

    The output matrix of a float model stays as it is: the embeddings share it, and ONNX Runtime transposes it once,
    when it loads.
    """
    prepared = copy.deepcopy(model).eval()
    prepared.encoder = cast(Encoder, OperatorEncoder(prepared.encoder))
    for owner in list(prepared.modules()):
        for name, child in list(owner.named_children()):
            if isinstance(child, QuantizedLinear):
                setattr(owner, name, IntegerLinear(child))
            elif isinstance(child, nn.Linear) and child is not prepared.output:
                setattr(owner, name, TransposedLinear(child))
    return prepared.requires_grad_(False)


class OperatorLayer(nn.Module):
    """Run one encoder layer, all directions, as the ONNX operator of its cell; it exists in an export alone."""

    def __init__(self, directions: Iterable[Cell]) -> None:
        super().__init__()
        cells = list(directions)
        self.operator = OPERATORS[type(cells[0])]
        self.size, self.directions, self.states = cells[0].hidden_size, len(cells), len(cells[0].state_names)
        self.input_weight = _stack(cell.input.weight for cell in cells)  # (D, gates * H, input)
        self.recurrent_weight = _stack(cell.recurrent.weight for cell in cells)  # (D, gates * H, H)
        self.bias = _stack(torch.cat([cell.input.bias, cell.recurrent.bias]) for cell in cells)  # (D, 2 * gates * H)

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Read inputs (B, S, input); gives all outputs (B, S, D * H) and the last of each direction (B, D * H)."""
        wanted = inputs.shape[0]
        if self.operator == "RNN":
            # ONNX Runtime multiplies a lone row of this operator by another kernel, which rounds differently (measured;
            # its GRU and LSTM do not), so it gets the first row twice.
            inputs, lengths = (torch.cat([tensor, tensor[:1]]) for tensor in (inputs, lengths))
        batch, steps = inputs.shape[:2]
        direction = "bidirectional" if self.directions == 2 else "forward"
        last = (self.directions, batch, self.size)
        outputs, final, *_ = torch.onnx.ops.symbolic_multi_out(
            self.operator,
            (inputs.transpose(0, 1), self.input_weight, self.recurrent_weight, self.bias, lengths.to(torch.int32)),
            {"hidden_size": self.size, "direction": direction, **SETTINGS.get(self.operator, {})},
            dtypes=[torch.float32] * (1 + self.states),
            shapes=[(steps, *last), *[last] * self.states],
        )
        outputs = outputs.permute(2, 0, 1, 3).reshape(batch, steps, self.directions * self.size)
        return outputs[:wanted], final.transpose(0, 1).reshape(batch, self.directions * self.size)[:wanted]


def _stack(parts: Iterable[Tensor]) -> nn.Parameter:
    return nn.Parameter(torch.stack([part.detach() for part in parts]))


class OperatorEncoder(nn.Module):
    """Stand in for models.encoder.Encoder, with the same arguments and results."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.residual = encoder.residual
        self.layers = nn.ModuleList(OperatorLayer(cast(Iterable[Cell], layer)) for layer in encoder.layers)

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encode embedded sentences (B, S, E) of `lengths` (B,), as (B, S, M) and (B, M).

        The operators want lengths of 1 and more, so an empty row runs over one padding word, whose traces are masked.
        """
        positions = torch.arange(inputs.shape[1])
        real = (positions[None, :] < lengths[:, None])[:, :, None].float()  # (B, S, 1)
        some = (lengths[:, None] > 0).float()  # (B, 1)
        clamped = lengths.clamp(min=1)
        final = inputs
        for layer in self.layers:
            outputs, final = layer(inputs, clamped)
            outputs = outputs * real
            inputs = inputs * real + outputs if self.residual and inputs.shape[-1] == outputs.shape[-1] else outputs
        return inputs, final * some


class EncoderGraph(nn.Module):
    """Turn source ids into the memory and the decoder's first state."""

    def __init__(self, prepared: Seq2Seq) -> None:
        super().__init__()
        self.model = prepared

    def forward(self, source_ids: Tensor, source_lengths: Tensor) -> tuple[Tensor, ...]:
        """Encode (B, S); gives keys (B, S, A), values (B, S, M) and one state (B, H) per name."""
        memory, state = self.model.encode(source_ids, source_lengths)
        return memory.keys, memory.values, *(tensor[:, 0] for tensor in state)


class StepGraph(nn.Module):
    """Advance every hypothesis by one word; gives all that a decoder graph may be asked for, to be cut to its role."""

    def __init__(self, prepared: Seq2Seq, candidates: int) -> None:
        super().__init__()
        self.model = prepared
        self.candidates = candidates

    def forward(
        self,
        previous_ids: Tensor,
        parents: Tensor,
        source_lengths: Tensor,
        keys: Tensor,
        values: Tensor,
        *states: Tensor,
    ) -> tuple[Tensor, ...]:
        """Step from `previous_ids` and `parents` (B, W), each state (B, W, H).

        Returns the best ids and their log-probabilities (B, W, C), all log-probabilities (B, W, V), the alignment
        (B, W, S) and the next states.
        """
        batch, width = previous_ids.shape
        # Whole rows are gathered: gathering single elements takes as long as a product.
        rows = (parents + width * torch.arange(batch)[:, None]).reshape(-1)  # (B * W,)
        state = tuple(s.flatten(0, 1).index_select(0, rows).reshape(batch, width, s.shape[-1]) for s in states)
        memory = Memory(keys, values, source_lengths)
        logits, following, alignment = self.model.step(previous_ids, state, memory)
        # One log-softmax over all rather than a normalizer for the winners: it costs less (475 against 526 us for 64
        # rows of 8,000), and its bits do not depend on the number of rows, which those of a Log operator do.
        log_probabilities = torch.log_softmax(logits, dim=-1)  # (B, W, V)
        best, ids = log_probabilities.topk(self.candidates, dim=-1)  # (B, W, C)
        return ids, best, log_probabilities, alignment, *following
