"""Checkpoints of other programs, small and made here, as the programs write them."""

import argparse
from pathlib import Path
from typing import Any

import numpy
import sentencepiece
import torch
import yaml
from torch import Tensor, nn

from tests.unit.models.factories import lexicon_pairs

E, H = 6, 8
PAIRS = lexicon_pairs(80, seed=3)


def train_vocabulary(path: Path) -> Path:
    """Train a vocabulary with numbers unlike ours: SentencePiece's own defaults, without padding."""
    sides = [side for pair in PAIRS for side in pair]
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sides), model_writer=file, vocab_size=44, minloglevel=2
        )
    return path


def pieces_of(path: Path) -> list[str]:
    """List the pieces of a vocabulary, without its special ones."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return [processor.id_to_piece(i) for i in range(3, processor.vocab_size())]


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape) * 0.5


def _filled(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def _state(module: nn.Module, name: str) -> dict[str, Tensor]:
    return {f"{name}.{key}": tensor.detach().clone() for key, tensor in module.state_dict().items()}


def write_opennmt(path: Path, pieces: list[str], source: list[str] | None = None, **changes: Any) -> dict[str, Any]:
    """Write a checkpoint as OpenNMT-py 3.5 does, with `source` pieces unless they are the target's."""
    kind = changes.get("rnn_type", "LSTM")
    rnn, cell = (nn.LSTM, nn.LSTMCell) if kind == "LSTM" else (nn.GRU, nn.GRUCell)
    options = {
        "encoder_type": "brnn", "decoder_type": "rnn", "rnn_type": kind, "enc_layers": 1, "dec_layers": 1,
        "enc_hid_size": H, "dec_hid_size": H, "global_attention": "general", "input_feed": 1,
        "generator_function": "softmax", "copy_attn": False, "coverage_attn": False, "context_gate": None, **changes,
    }  # fmt: skip
    special = ["<unk>", "<blank>", "<s>", "</s>"]
    sides = {"src": [*special, *(source or pieces[::-1])], "tgt": [*special, *pieces]}
    lut = "embeddings.make_embedding.emb_luts.0.weight"
    state = {f"{side}.{lut}": _random(len(sides[key]), E) for side, key in (("encoder", "src"), ("decoder", "tgt"))}
    state |= _state(_filled(rnn(E, H // 2, bidirectional=True)), "encoder.rnn")
    state |= _state(_filled(cell(E + H, H)), "decoder.rnn.layers.0")
    state |= {"decoder.attn.linear_in.weight": _random(H, H), "decoder.attn.linear_out.weight": _random(H, 2 * H)}
    generator = {"weight": _random(len(sides["tgt"]), H), "bias": _random(len(sides["tgt"]))}
    checkpoint = {
        "model": state, "generator": generator, "opt": argparse.Namespace(**options),
        "vocab": {**sides, "data_task": "seq2seq", "decoder_start_token": "<s>"}, "optim": {"step": 3},
    }  # fmt: skip
    torch.save(checkpoint, path)
    return checkpoint


def write_joeynmt(
    path: Path,
    pieces: list[str],
    source: dict[str, Any] | None = None,
    tied: bool = False,
    data: dict[str, Any] | None = None,
    **changes: Any,
) -> dict[str, Tensor]:
    """Write a checkpoint, the configuration and vocabularies as JoeyNMT 2.3 does; `changes` are the decoder's."""
    encoder = {"type": "recurrent", "rnn_type": "gru", "hidden_size": 5, "bidirectional": True, "num_layers": 1}
    decoder = {
        "type": "recurrent", "rnn_type": "gru", "hidden_size": H, "num_layers": 2, "attention": "bahdanau",
        "init_hidden": "bridge", "input_feeding": True, "embeddings": {"scale": True}, **changes,
    }  # fmt: skip
    rows = ["<unk>", "<pad>", "<s>", "</s>", *pieces]
    attention = "decoder.attention"
    state = {
        "src_embed.lut.weight": _random(len(rows), E), "trg_embed.lut.weight": _random(len(rows), E),
        "decoder.att_vector_layer.weight": _random(H, H + 10), "decoder.att_vector_layer.bias": _random(H),
        "decoder.output_layer.weight": _random(len(rows), H), f"{attention}.key_layer.weight": _random(H, 10),
        f"{attention}.query_layer.weight": _random(H, H), f"{attention}.energy_layer.weight": _random(1, H),
        "decoder.bridge_layer.weight": _random(H, 10), "decoder.bridge_layer.bias": _random(H),
    }  # fmt: skip
    state |= _state(_filled(nn.GRU(E, 5, bidirectional=True)), "encoder.rnn")
    state |= _state(_filled(nn.GRU(E + H, H, num_layers=2)), "decoder.rnn")
    torch.save({"model_state": state, "steps": 7}, path)
    text = {"level": "bpe", "tokenizer_type": "sentencepiece"}
    configuration = {
        "data": {"src": {**text, **(source or {})}, "trg": text, **(data or {})},
        "model": {"encoder": encoder, "decoder": decoder, "tied_embeddings": tied},
    }
    (path.parent / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    for side in ("src", "trg"):
        (path.parent / f"{side}_vocab.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return state


def write_marian(path: Path, pieces: list[str], **changes: Any) -> Path:
    """Write a model and its vocabulary as Marian does; returns the vocabulary."""
    options = {"type": "s2s", "enc-type": "bidirectional", "dim-rnn": H, "tied-embeddings-all": True, **changes}
    rows = ["</s>", "<unk>", *pieces]
    shapes: dict[str, tuple[int, ...]] = {
        "Wemb": (len(rows), E), "decoder_U_att": (2 * H, 1), "decoder_W_comb_att": (H, 2 * H),
        "decoder_Wc_att": (2 * H, 2 * H), "decoder_b_att": (1, 2 * H), "decoder_ff_logit_l1_W0": (E, E),
        "decoder_ff_logit_l1_W1": (H, E), "decoder_ff_logit_l1_W2": (2 * H, E), "decoder_ff_logit_l2_b": (1, len(rows)),
        "decoder_ff_state_W": (2 * H, H), "decoder_ff_state_b": (1, H),
        **{f"decoder_ff_logit_l1_b{i}": (1, E) for i in range(3)},
    }  # fmt: skip
    for cell, read in {"encoder_bi": E, "encoder_bi_r": E, "decoder_cell1": E, "decoder_cell2": 2 * H}.items():
        shapes |= {f"{cell}_W": (read, 2 * H), f"{cell}_Wx": (read, H), f"{cell}_U": (H, 2 * H), f"{cell}_Ux": (H, H)}
        shapes |= {f"{cell}_b": (1, 2 * H), f"{cell}_bx": (1, H)}
    arrays = {name: _random(*shape).numpy() for name, shape in shapes.items()}
    arrays["special:model.yml"] = numpy.frombuffer(yaml.safe_dump(options).encode() + b"\0", numpy.int8)
    numpy.savez(path, **arrays)
    names = path.with_suffix(".txt")
    names.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return names


def write_untied_marian(path: Path, pieces: list[str], fewer: int = 0) -> Path:
    """Write a model with an embedding for each side, the source's with `fewer` rows; returns the vocabulary."""
    names = write_marian(path, pieces, **{"tied-embeddings-all": False, "tied-embeddings": True})
    with numpy.load(path) as file:
        arrays = dict(file)
    arrays["decoder_Wemb"] = arrays.pop("Wemb")
    arrays["encoder_Wemb"] = arrays["decoder_Wemb"][fewer:] * 2
    numpy.savez(path, **arrays)
    return names
