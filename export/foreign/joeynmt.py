"""JoeyNMT: NAME.ckpt with a recurrent encoder and decoder, beside it config.yaml and the vocabularies."""

from pathlib import Path
from typing import Any

import torch
import yaml

from export.foreign.foreign import Foreign, ImportRefused, decoder_cells, taken, torch_cell, torch_encoder
from export.foreign.options import number, refusing, require, require_one_cutter
from export.foreign.vocabulary import read_pieces
from models.config import ModelConfig

SOURCE: dict[str, tuple[Any, ...]] = {"level": ("bpe", "word"), "lowercase": (False,), "normalize": (False,)}
CUTTER: dict[str, tuple[Any, ...]] = {"tokenizer_type": ("sentencepiece",), "bpe_type": ("sentencepiece",)}
ENCODER: dict[str, tuple[Any, ...]] = {"type": ("recurrent",), "rnn_type": ("gru", "lstm")}
SYMBOLS: dict[str, tuple[Any, ...]] = {"lang_tags": ([], None), "sep_token": (None, "")}
DECODER: dict[str, tuple[Any, ...]] = {
    "type": ("recurrent",),
    "rnn_type": ("gru", "lstm"),
    "attention": ("bahdanau", "luong"),
    "init_hidden": ("bridge", "zero"),
    "activation": ("tanh",),
}
SPECIAL = {"<unk>": "unk_token", "<s>": "bos_token", "</s>": "eos_token"}


def read(path: Path) -> Foreign:
    """Read a checkpoint and what JoeyNMT wrote beside it, without running what a pickle could hold.

    Raises:
        ImportRefused: it is none, or has an option that is not covered; names it.
    """
    with refusing(f"{path} is no checkpoint of JoeyNMT with config.yaml and vocabularies"):
        return _read(path)


def _read(path: Path) -> Foreign:
    state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    configuration = yaml.safe_load((path.parent / "config.yaml").read_text(encoding="utf-8"))
    options, data = configuration["model"], configuration["data"]
    encoder, decoder = options["encoder"], options["decoder"]
    source, target = (read_pieces(path.parent / f"{side}_vocab.txt") for side in ("src", "trg"))
    _require_text(data)
    require("JoeyNMT's encoder", encoder, ENCODER)
    require("JoeyNMT's decoder", {"type": "transformer"} | decoder, DECODER)  # its default
    if encoder.get("rnn_type", "gru") != decoder.get("rnn_type", "gru"):
        raise ImportRefused("JoeyNMT's rnn_type must be the same in encoder and decoder")
    embeddings = [taken(state, f"{side}_embed.lut.weight") for side in ("src", "trg")]
    if embeddings[0].shape[1] != embeddings[1].shape[1]:
        raise ImportRefused("JoeyNMT's embedding_dim must be the same in encoder and decoder")
    size = embeddings[0].shape[1]
    shared = encoder if options.get("tied_embeddings") else decoder
    scaled = [bool(part.get("embeddings", {}).get("scale", False)) for part in (encoder, shared)]
    config = _config(encoder, decoder, size)
    kind, hidden = config.cell, config.decoder_hidden_size
    cells = [torch_cell(kind, state, f"decoder.rnn.*_l{layer}") for layer in range(config.decoder_layers)]
    weights = torch_encoder(kind, state, config.encoder_layers, config.bidirectional) | decoder_cells(cells, size)
    joined = taken(state, "decoder.att_vector_layer.weight")  # reads [h; c]
    weights["decoder.readout_state.weight"], weights["decoder.readout_context.weight"] = (
        joined[:, :hidden],
        joined[:, hidden:],
    )
    weights["decoder.readout_state.bias"] = taken(state, "decoder.att_vector_layer.bias")
    weights["decoder.attention.key.weight"] = taken(state, "decoder.attention.key_layer.weight")
    if config.context == "additive":
        weights["decoder.attention.key.bias"] = torch.zeros(hidden)
        weights["decoder.attention.query.weight"] = taken(state, "decoder.attention.query_layer.weight")
        weights["decoder.attention.energy.weight"] = taken(state, "decoder.attention.energy_layer.weight")
    weights |= _bridge(state, config, decoder.get("init_hidden", "bridge"))
    output = taken(state, "decoder.output_layer.weight")
    return Foreign(
        config=config,
        weights=weights,
        source=source,
        target=target,
        source_embedding=embeddings[0] * (size**0.5 if scaled[0] else 1),
        target_embedding=embeddings[1] * (size**0.5 if scaled[1] else 1),
        output=output,
        output_bias=torch.zeros(len(output)),
        special={ours: (data.get("special_symbols") or {}).get(theirs, ours) for ours, theirs in SPECIAL.items()},
        restricted=data["src"].get("level") == "bpe",
    )


def _require_text(data: dict[str, Any]) -> None:
    """Refuse what JoeyNMT does to a text before a SentencePiece model cuts it, or after."""
    require("JoeyNMT's src", data["src"], SOURCE)
    for side in ("src", "trg"):
        part = data[side]
        require(f"JoeyNMT's {side}", part, {"level": SOURCE["level"]} | (CUTTER if part.get("level") == "bpe" else {}))
        require(f"JoeyNMT's {side}'s tokenizer_cfg", part.get("tokenizer_cfg") or {}, {"pretokenizer": ("none",)})
    require("JoeyNMT's special_symbols", data.get("special_symbols") or {}, SYMBOLS)
    cutters = {side: data[side].get("tokenizer_cfg") or {} for side in ("src", "trg")}
    require_one_cutter(
        {f"JoeyNMT's {side}'s tokenizer_cfg's model_file": cutter.get("model_file") for side, cutter in cutters.items()}
    )


def _bridge(state: dict[str, Any], config: ModelConfig, kind: str) -> dict[str, torch.Tensor]:
    """Give every state of every layer the same start, as JoeyNMT does."""
    memory = config.encoder_hidden_size * (2 if config.bidirectional else 1)
    weight, bias = torch.zeros(config.decoder_hidden_size, memory), torch.zeros(config.decoder_hidden_size)
    if kind == "bridge":
        weight, bias = (taken(state, f"decoder.bridge_layer.{part}") for part in ("weight", "bias"))
    count = config.decoder_layers * (2 if config.cell == "lstm" else 1)
    return {"decoder.bridge.weight": weight.repeat(count, 1), "decoder.bridge.bias": bias.repeat(count)}


def _config(encoder: dict[str, Any], decoder: dict[str, Any], size: int) -> ModelConfig:
    hidden = number("JoeyNMT's decoder", decoder, "hidden_size")
    return ModelConfig.model_validate(
        {
            "cell": encoder.get("rnn_type", "gru"),
            "embedding_size": size,
            "encoder_hidden_size": number("JoeyNMT's encoder", encoder, "hidden_size"),
            "encoder_layers": number("JoeyNMT's encoder", encoder, "num_layers", 1),
            "bidirectional": encoder.get("bidirectional", True),
            "decoder_hidden_size": hidden,
            "decoder_layers": number("JoeyNMT's decoder", decoder, "num_layers", 1),
            "context": {"bahdanau": "additive", "luong": "general"}[decoder.get("attention", "bahdanau")],
            "attends": "after",
            "attention_size": hidden,
            "input_feeding": decoder.get("input_feeding", True),
            "readout_size": hidden,
            "readout_word": False,
            "tie_embeddings": False,
            "tie_output": False,
            "source_end": True,
        }
    )
