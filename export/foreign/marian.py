"""Marian: model.npz of the type s2s, the model of Nematus."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import sentencepiece
import torch
import yaml
from numpy.typing import NDArray
from torch import Tensor

from export.foreign.foreign import Foreign, ImportRefused, taken
from export.foreign.options import number, refusing, require
from export.foreign.vocabulary import read_pieces
from models.config import ModelConfig

Arrays = Mapping[str, NDArray[Any]]
OPTIONS = "special:model.yml"
COVERED: dict[str, tuple[Any, ...]] = {
    "type": ("s2s",),
    "enc-type": ("bidirectional",),
    "enc-cell": ("gru",),
    "enc-cell-depth": (1,),
    "enc-depth": (1,),
    "dec-cell": ("gru",),
    "dec-cell-base-depth": (2,),
    "dec-cell-high-depth": (1,),
    "dec-depth": (1,),
    "layer-normalization": (False,),
    "skip": (False,),
    "right-left": (False,),
    "output-omit-bias": (False,),
    "lemma-dim-emb": (0,),
    "factors-dim-emb": (0,),
}


def read(path: Path, pieces: Path, one_vocabulary: bool = False) -> Foreign:
    """Read a model; `pieces` is its vocabulary, a SentencePiece model or a text with a piece a line.

    With `one_vocabulary` the caller says that it is that of both sides, also where they have embeddings of their own.

    Raises:
        ImportRefused: it is none, or has an option that is not covered; names it. Or nothing says that it has one
            vocabulary.
    """
    with refusing(f"{path} is no model of Marian with a vocabulary {pieces}"):
        return _read(path, pieces, one_vocabulary)


def _read(path: Path, pieces: Path, one_vocabulary: bool) -> Foreign:
    with numpy.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    options = yaml.safe_load(bytes(arrays.pop(OPTIONS)).rstrip(b"\0").decode("utf-8"))
    numbers = _numbers(pieces)
    require("Marian", options, COVERED)
    joined = options.get("tied-embeddings-all") or options.get("tied-embeddings-src")
    if not (joined or one_vocabulary):  # of one size they would be taken for each other
        raise ImportRefused(
            f"Marian's tied-embeddings-all and tied-embeddings-src are false, so {path} may have a vocabulary for each "
            f"language, which is not covered: say --one-vocabulary if {pieces} is that of both"
        )
    source, target = (taken(arrays, "Wemb" if joined else f"{side}_Wemb") for side in ("encoder", "decoder"))
    tied = options.get("tied-embeddings-all") or options.get("tied-embeddings")
    output = target if tied else taken(arrays, "decoder_ff_logit_l2_W").t()
    size = number("Marian", options, "dim-rnn")
    config = ModelConfig.model_validate(
        {
            "cell": "gru",
            "embedding_size": source.shape[1],
            "encoder_hidden_size": size,
            "decoder_hidden_size": size,
            "attends": "between",
            "attention_size": taken(arrays, "decoder_U_att").shape[0],
            "bridge": "mean",
            "tie_embeddings": False,
            "tie_output": False,
            "source_end": True,
        }
    )
    return Foreign(
        config=config,
        weights=_weights(arrays),
        source=numbers,
        target=numbers,
        source_embedding=source,
        target_embedding=target,
        output=output,
        output_bias=taken(arrays, "decoder_ff_logit_l2_b")[0],
        special={"<unk>": "<unk>", "</s>": "</s>"},
        says_unknown=False,  # as marian-decoder without --allow-unk
    )


def _weights(arrays: Arrays) -> dict[str, Tensor]:
    zero = torch.zeros(())
    named = {
        "decoder.bridge.weight": taken(arrays, "decoder_ff_state_W").t(),
        "decoder.bridge.bias": taken(arrays, "decoder_ff_state_b")[0],
        "decoder.attention.query.weight": taken(arrays, "decoder_W_comb_att").t(),
        "decoder.attention.key.weight": taken(arrays, "decoder_Wc_att").t(),
        "decoder.attention.key.bias": taken(arrays, "decoder_b_att")[0],
        "decoder.attention.energy.weight": taken(arrays, "decoder_U_att").t(),
        "decoder.readout_input.weight": taken(arrays, "decoder_ff_logit_l1_W0").t(),
        "decoder.readout_state.weight": taken(arrays, "decoder_ff_logit_l1_W1").t(),
        "decoder.readout_context.weight": taken(arrays, "decoder_ff_logit_l1_W2").t(),
        "decoder.readout_state.bias": sum((taken(arrays, f"decoder_ff_logit_l1_b{i}")[0] for i in range(3)), zero),
    }
    named |= _gru(arrays, "encoder_bi", "encoder.layers.0.0", False)
    named |= _gru(arrays, "encoder_bi_r", "encoder.layers.0.1", False)
    named |= _gru(arrays, "decoder_cell1", "decoder.cell", False)
    return named | _gru(arrays, "decoder_cell2", "decoder.context_cell", True)


def _gru(arrays: Arrays, theirs: str, ours: str, last: bool) -> dict[str, Tensor]:
    """Read a cell, of gates r, z and n in ours z, r, n; the last one of a step resets the bias of n, too."""
    size = taken(arrays, f"{theirs}_Ux").shape[0]
    inputs, states = (
        torch.cat([taken(arrays, f"{theirs}_{name}"), taken(arrays, f"{theirs}_{name}x")], 1).t() for name in "WU"
    )
    gates, new = taken(arrays, f"{theirs}_b")[0], taken(arrays, f"{theirs}_bx")[0]
    nothing = torch.zeros(size)
    biases = {
        "input": torch.cat([gates, nothing if last else new]),
        "recurrent": torch.cat([torch.zeros(2 * size), new if last else nothing]),
    }
    order = torch.cat([torch.arange(size, 2 * size), torch.arange(size), torch.arange(2 * size, 3 * size)])
    return {
        f"{ours}.{part}.{kind}": tensor[order]
        for part, weight in (("input", inputs), ("recurrent", states))
        for kind, tensor in (("weight", weight), ("bias", biases[part]))
    }


def _numbers(path: Path) -> dict[str, int]:
    if path.suffix == ".txt":
        return read_pieces(path)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return {processor.id_to_piece(number): number for number in range(processor.vocab_size())}
