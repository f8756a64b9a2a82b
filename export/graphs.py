"""The graphs of a bundle as PyTorch modules; what they compute is defined in models/, they only rearrange it."""

import copy
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan
from torch.nn.functional import embedding

from export.directions import together
from export.joined import JoinedCell
from export.products import IntegerLinear, TransposedLinear
from export.quantized import QuantizedLinear
from models.attention import Memory
from models.cells import Cell, State
from models.seq2seq import Seq2Seq
from models.tokenizer import EOS_ID


def prepare(model: Seq2Seq) -> Seq2Seq:
    """Copy a model with every matrix in the layout that its product reads.

    The output matrix of a float model stays as it is: the embeddings share it, and ONNX Runtime transposes it once,
    when it loads.
    """
    prepared = copy.deepcopy(model).eval()
    for owner in list(prepared.modules()):
        for name, child in list(owner.named_children()):
            if isinstance(child, QuantizedLinear):
                setattr(owner, name, IntegerLinear(child))
            elif isinstance(child, nn.Linear) and child is not prepared.output:
                setattr(owner, name, TransposedLinear(child))
    return prepared.requires_grad_(False)


def join(prepared: Seq2Seq) -> Seq2Seq:
    """Let the decoder's cells that read no table, in place, multiply input and state at once."""
    decoder = prepared.decoder
    if not prepared.config.layer_norm:  # which normalizes the two apart
        if hasattr(decoder, "context_cell"):
            setattr(decoder, "context_cell", JoinedCell(decoder.context_cell))  # noqa: B010 - of another type
        decoder.upper = nn.ModuleList(JoinedCell(cast(Cell, cell)) for cell in decoder.upper)
    return prepared


def adds_embeddings(model: Seq2Seq) -> bool:
    """Tell whether the encoder's first layer adds its input to its output, so that products of it are not enough."""
    return model.config.residual and model.config.embedding_size == model.encoder.memory_size


class TablesGraph(nn.Module):
    """Multiply the embeddings of pieces by what reads them, which depends on nothing else.

    Of all pieces this gives tables, and no other graph multiplies an embedding again.
    """

    def __init__(self, prepared: Seq2Seq) -> None:
        super().__init__()
        self.model = prepared

    def forward(self, piece_ids: Tensor) -> tuple[Tensor, ...]:
        """Make rows (B, *) of every table, in the order of export.signature."""
        model = self.model
        embedded = model.embed(model.source_embedding, piece_ids)
        first = cast(nn.ModuleList, model.encoder.layers[0])
        source = [cast(Cell, cell).project(embedded) for cell in first]
        if adds_embeddings(model):
            source.append(embedded)
        return *source, torch.cat([read for read in model.look_up(piece_ids) if read is not None], dim=-1)


class EncoderGraph(nn.Module):
    """Turn source ids into the memory and the decoder's first state."""

    def __init__(self, prepared: Seq2Seq) -> None:
        super().__init__()
        self.model = prepared

    def forward(self, source_ids: Tensor, source_lengths: Tensor, *tables: Tensor) -> tuple[Tensor, ...]:
        """Encode (B, S); gives the tensors of the memory, such as values (B, S, M), and one state (B, *) per name.

        All inside runs along the sentence first, as (S, B, *).
        """
        ids = source_ids.transpose(0, 1)
        real = torch.arange(ids.shape[0])[:, None, None] < source_lengths[None, :, None]  # (S, B, 1)
        encoder, decoder = self.model.encoder, self.model.decoder
        layers = [[cast(Cell, cell) for cell in cast(nn.ModuleList, layer)] for layer in encoder.layers]
        backward = encoder.backward
        # The backward direction reads the ids from behind, which costs less than turning their rows around.
        projected = [embedding(ids.flip(0) if b else ids, table) for b, table in zip(backward, tables, strict=False)]
        inputs = embedding(ids, tables[len(backward)]) * real if len(backward) < len(tables) else None
        states: State = ()
        for number, cells in enumerate(layers):
            if number:
                assert inputs is not None
                projected = [
                    cell.project(inputs.flip(0) if b else inputs) for b, cell in zip(backward, cells, strict=True)
                ]
            outputs, last = _run(cells, backward, projected, real)
            adds = encoder.residual and inputs is not None and inputs.shape[-1] == outputs.shape[-1]
            inputs = inputs + outputs if adds and inputs is not None else outputs
            states += last
        assert inputs is not None
        values = inputs.transpose(0, 1)
        memory = decoder.remember(values, states[-len(decoder.cell.state_names)], source_lengths)
        first = decoder.initial_state(values, states, source_lengths)
        return *memory.tensors.values(), *(tensor[:, 0] for tensor in first)


def _run(cells: list[Cell], backward: tuple[bool, ...], projected: list[Tensor], real: Tensor) -> tuple[Tensor, State]:
    """Run the directions of a layer over projected inputs (S, B, gates * H), where `backward` given from behind.

    Does what models.cells.run does for each. Gives the outputs (S, B, D * H) and the last states (B, D * H).
    """
    step = together(cells)
    inputs = torch.stack(projected, dim=1)  # (S, D, B, gates * H)
    masks = torch.stack([real.flip(0) if b else real for b in backward], dim=1)

    def advance(state: list[Tensor], word: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        after = step(word[0], tuple(state))
        following = [torch.where(word[1], new, old) for new, old in zip(after, state, strict=True)]
        return following, [following[0].clone()]

    initial = [cell.initial_state(one[0]) for cell, one in zip(cells, projected, strict=True)]
    first = [torch.stack(tensors) for tensors in zip(*initial, strict=True)]
    last, (outputs,) = scan(advance, first, [inputs, masks])
    ordered = [one.flip(0) if b else one for b, one in zip(backward, outputs.unbind(1), strict=True)]
    return torch.cat(ordered, dim=-1) * real, tuple(torch.cat(tensor.unbind(0), dim=-1) for tensor in last)


class DecoderGraph(nn.Module):
    """Advance hypotheses by one word."""

    def __init__(self, prepared: Seq2Seq) -> None:
        super().__init__()
        self.model = prepared

    def advance(
        self, previous_ids: Tensor, source_lengths: Tensor, table: Tensor, tensors: Sequence[Tensor], state: State
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Step from `previous_ids` (B, W), the tensors of the memory and the hypotheses' states (B, W, *).

        Returns the logits (B, W, V), then the alignment (B, W, S) of a model with attention and the next states.
        """
        decoder = self.model.decoder
        read = decoder.readout_size if self.model.config.readout_word else 0
        projected, said = embedding(previous_ids, table).split([table.shape[1] - read, read], dim=-1)
        memory = Memory(dict(zip(decoder.memory_sizes, tensors, strict=True)), source_lengths)
        logits, following, alignment = self.model.advance(projected, said if read else None, state, memory)
        return logits, (*(() if alignment is None else (alignment,)), *following)

    def part(self, tensors: Sequence[Tensor]) -> tuple[Sequence[Tensor], State]:
        """Part what is given of a memory and of states."""
        count = len(self.model.decoder.memory_sizes)
        return tensors[:count], tuple(tensors[count:])


class GreedyGraph(DecoderGraph):
    """Advance hypotheses that go on from themselves; gives all that a graph for greedy search may be asked for."""

    def forward(
        self, previous_ids: Tensor, source_lengths: Tensor, table: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        """Step from `previous_ids` (B, W), the tensors of the memory, and states (B, W, *), which are read in place.

        Returns the logits (B, W, V), the best ids (B, W), the alignment (B, W, S) of a model with attention, and the
        next states.
        """
        memory, state = self.part(tensors)
        logits, rest = self.advance(previous_ids, source_lengths, table, memory, state)
        return logits, logits.argmax(dim=-1), *rest


class BeamGraph(DecoderGraph):
    """Advance hypotheses that may go on from others of their row; gives all that other graphs may be asked for."""

    def __init__(self, prepared: Seq2Seq, candidates: int) -> None:
        super().__init__(prepared)
        self.candidates = candidates

    def forward(
        self,
        previous_ids: Tensor,
        parents: Tensor,
        source_lengths: Tensor,
        totals: Tensor,
        table: Tensor,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        """Step from `previous_ids`, `parents` and `totals` (B, W), the tensors of the memory, and states (B, W, *).

        Returns the best ids and their log-probabilities (B, W, C), all log-probabilities (B, W, V), what goes on of a
        beam (`go_on`), the alignment (B, W, S) of a model with attention, and the next states.
        """
        batch, width = previous_ids.shape
        memory, states = self.part(tensors)
        # Whole rows are gathered: gathering single elements takes as long as a product.
        rows = (parents + torch.arange(0, batch * width, width)[:, None]).reshape(-1)  # (B * W,)
        state = tuple(s.flatten(0, 1).index_select(0, rows).reshape(batch, width, s.shape[-1]) for s in states)
        logits, rest = self.advance(previous_ids, source_lengths, table, memory, state)
        # One log-softmax over all rather than a normalizer for the winners: it costs less (475 against 526 us for 64
        # rows of 8,000), and its bits do not depend on the number of rows, which those of a Log operator do.
        log_probabilities = torch.log_softmax(logits, dim=-1)  # (B, W, V)
        best, ids = log_probabilities.topk(self.candidates, dim=-1)  # (B, W, C)
        return ids, best, log_probabilities, *go_on(totals, ids, best), *rest


def go_on(totals: Tensor, ids: Tensor, log_probabilities: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Choose which W of all W * C candidates (B, W, C) a beam goes on with, as service.search.beam does.

    Those that end the sentence are out of it. Sums are in double precision, as there, and of equal ones the TopK
    operator takes the first. Returns the ids, the hypotheses that they continue and the new totals, (B, W) each.
    """
    width, count = ids.shape[1:]
    sums = (totals[:, :, None] + log_probabilities.double()).masked_fill(ids == EOS_ID, -torch.inf)
    following, places = sums.flatten(1).topk(width, dim=-1)
    # One operation on whole numbers: PyTorch's own division minds signs, which there are none of.
    parents = torch.onnx.ops.symbolic("Div", [places, torch.tensor(count)], dtype=torch.int64, shape=places.shape)
    return ids.flatten(1).gather(1, places), parents, following
