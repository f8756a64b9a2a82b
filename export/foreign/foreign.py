"""A checkpoint of another program in our terms, before its vocabulary is ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from export.errors import ExportError
from export.foreign.vocabulary import SPECIAL, joint
from models.config import ModelConfig
from models.seq2seq import Seq2Seq
from models.tokenizer import BOS_ID, PAD_ID, UNK_ID, Tokenizer

NEVER = -200.0  # the logit of what is never said: below a model's, and where fp32 still tells 1e-4 apart
# Our blocks of gates in PyTorch's: GRU z, r, n in r, z, n; LSTM i, o, f, g in i, f, g, o.
FROM_TORCH = {"rnn": (0,), "gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}


class ImportRefused(ExportError):
    """Refuse a checkpoint that is not what it should be, or an architecture that is not covered."""


@dataclass(frozen=True)
class Foreign:
    """Hold the weights of a model by our names, and its two vocabularies with what belongs to each piece."""

    config: ModelConfig
    weights: Mapping[str, Tensor]  # all but embeddings and the output layer
    source: Mapping[str, int]  # piece -> row
    target: Mapping[str, int]
    source_embedding: Tensor  # (rows, E)
    target_embedding: Tensor  # (rows, E)
    output: Tensor  # (rows, R)
    output_bias: Tensor  # (rows,)
    special: Mapping[str, str]  # our <unk>, <s> and </s> by its names; without <s> the first input is zeros
    restricted: bool = False  # text is only cut into pieces of the source
    says_unknown: bool = True  # or <unk> is never said

    def __post_init__(self) -> None:
        """Refuse vocabularies that are not those of the weights.

        Raises:
            ImportRefused: there are not as many pieces as rows, or a special piece is missing.
        """
        needed = {"<unk>", "</s>"} if self.config.source_end else {"<unk>"}
        sides = {"source": (self.source, needed), "target": (self.target, self.special.keys())}
        tables = {
            "source embedding": (self.source, self.source_embedding),
            "target embedding": (self.target, self.target_embedding),
            "output layer": (self.target, self.output),
            "output bias": (self.target, self.output_bias),
        }
        for name, (numbers, table) in tables.items():
            pieces = 1 + max(numbers.values(), default=-1)
            if pieces != len(table):
                raise ImportRefused(
                    f"the vocabulary of the {name} has {pieces} pieces, and its weights {len(table)} rows: "
                    "is it another model's, or has the model one for each language?"
                )
        for side, (numbers, names) in sides.items():
            missing = sorted(self.special[name] for name in names if self.special[name] not in numbers)
            if missing:
                raise ImportRefused(
                    f"the {side} vocabulary has no piece {' or '.join(missing)}: is it another model's?"
                )

    def build(self, vocabulary: Path, numbered: Path) -> tuple[Tokenizer, Seq2Seq]:
        """Make the model over a SentencePiece vocabulary, whose numbering is ours when it is written to `numbered`.

        A piece that one side does not have is unknown there, and never said.

        Raises:
            ImportRefused: the weights do not fit the architecture, or the vocabulary has hardly a piece of a side's.
        """
        pieces = joint(vocabulary, numbered, self.source if self.restricted else None)
        for side, numbers in (("source", self.source), ("target", self.target)):
            shared = sum(piece in numbers for piece in pieces)
            if 2 * shared < len(numbers):
                raise ImportRefused(
                    f"{vocabulary} has {shared} of the model's {len(numbers)} {side} pieces: is it another's?"
                )
        tokenizer = Tokenizer(numbered)
        model = Seq2Seq(self.config, len(pieces), PAD_ID).eval()
        size = self.config.embedding_size**0.5  # by which ours multiplies
        weights = dict(self.weights)
        weights["source_embedding.weight"] = self._rows(pieces, self.source, self.source_embedding) / size
        weights["target_embedding.weight"] = self._rows(pieces, self.target, self.target_embedding) / size
        if self.special.get("<s>") is None:
            weights["target_embedding.weight"][BOS_ID] = 0
        weights["output.weight"] = self._rows(pieces, self.target, self.output)
        weights["output.bias"] = self._rows(pieces, self.target, self.output_bias)
        never = {PAD_ID, BOS_ID} if self.says_unknown else {PAD_ID, BOS_ID, UNK_ID}
        silent = [i for i, piece in enumerate(pieces) if i in never or self._row(piece, self.target) is None]
        weights["output.weight"][silent], weights["output.bias"][silent] = 0, NEVER
        _fill(model, weights)
        return tokenizer, model

    def _row(self, piece: str, numbers: Mapping[str, int]) -> int | None:
        return numbers.get(self.special.get(piece, piece)) if piece in SPECIAL else numbers.get(piece)

    def _rows(self, pieces: Sequence[str], numbers: Mapping[str, int], tensor: Tensor) -> Tensor:
        unknown = numbers[self.special["<unk>"]]
        found = (self._row(piece, numbers) for piece in pieces)
        return tensor[torch.tensor([unknown if row is None else row for row in found])].clone()


def _fill(model: Seq2Seq, weights: Mapping[str, Tensor]) -> None:
    parameters = dict(model.named_parameters())
    for name in sorted(parameters.keys() | weights.keys()):
        needed = tuple(parameters[name].shape) if name in parameters else "none"
        found = tuple(weights[name].shape) if name in weights else "none"
        if found != needed:
            raise ImportRefused(f"the checkpoint gives {name} the shape {found}, its options ask for {needed}")
        with torch.no_grad():
            parameters[name].copy_(weights[name])


def from_torch(kind: str, tensor: Tensor) -> Tensor:
    """Put gates from PyTorch's order into ours."""
    blocks = tensor.chunk(len(FROM_TORCH[kind]))
    return torch.cat([blocks[i] for i in FROM_TORCH[kind]])


def torch_cell(kind: str, state: Mapping[str, Tensor], suffix: str) -> dict[str, Tensor]:
    """Read a cell of PyTorch's, whose four tensors end in `suffix`, such as decoder.rnn. and _l0 around their names."""
    before, _, after = suffix.partition("*")
    names = {"input": "ih", "recurrent": "hh"}
    return {
        f"{ours}.{part}": from_torch(kind, taken(state, f"{before}{part}_{theirs}{after}"))
        for ours, theirs in names.items()
        for part in ("weight", "bias")
    }


def taken(state: Mapping[str, Any], name: str) -> Tensor:
    """Return a tensor in fp32.

    Raises:
        ImportRefused: there is none of this name.
    """
    if name not in state:
        raise ImportRefused(f"the checkpoint has no weight {name}: it is of another architecture, or damaged")
    found: Tensor = torch.as_tensor(state[name]).float()
    return found


def torch_encoder(kind: str, state: Mapping[str, Tensor], layers: int, bidirectional: bool) -> dict[str, Tensor]:
    """Read an encoder that is one of PyTorch's recurrent modules, encoder.rnn."""
    weights: dict[str, Tensor] = {}
    for layer in range(layers):
        for direction in range(1 + bidirectional):
            cell = torch_cell(kind, state, f"encoder.rnn.*_l{layer}{'_reverse' if direction else ''}")
            weights |= {f"encoder.layers.{layer}.{direction}.{name}": tensor for name, tensor in cell.items()}
    return weights


def decoder_cells(cells: Sequence[Mapping[str, Tensor]], embedding_size: int) -> dict[str, Tensor]:
    """Name the decoder's cells; what the first reads behind the embedding is the last readout (input feeding)."""
    weights = {f"decoder.cell.{name}": tensor for name, tensor in cells[0].items()}
    first = weights["decoder.cell.input.weight"]
    if first.shape[1] > embedding_size:
        weights["decoder.cell.input.weight"] = first[:, :embedding_size]
        weights["decoder.feed_input.weight"] = first[:, embedding_size:]
    for number, cell in enumerate(cells[1:]):
        weights |= {f"decoder.upper.{number}.{name}": tensor for name, tensor in cell.items()}
    return weights
