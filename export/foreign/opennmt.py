"""OpenNMT-py: NAME_step_N.pt with a recurrent encoder and decoder, of version 3."""

import argparse
from pathlib import Path
from typing import Any

import torch

from export.foreign.foreign import Foreign, ImportRefused, decoder_cells, taken, torch_cell, torch_encoder
from export.foreign.options import number, refusing, require, require_one_cutter
from models.config import ModelConfig

EMBEDDING = "embeddings.make_embedding.emb_luts.0.weight"
COVERED: dict[str, tuple[Any, ...]] = {
    "save_format": ("pytorch",),
    "model_task": ("seq2seq",),
    "model_type": ("text",),
    "encoder_type": ("rnn", "brnn"),
    "decoder_type": ("rnn",),
    "rnn_type": ("LSTM", "GRU"),
    "bridge": (False,),
    "global_attention": ("general", "dot"),
    "global_attention_function": ("softmax",),
    "generator_function": ("softmax",),
    "copy_attn": (False,),
    "coverage_attn": (False,),
    "context_gate": (None,),
    "position_encoding": (False,),
    "n_src_feats": (0,),
    "lora_layers": ([],),
    "lora_embedding": (False,),
    "quant_type": ("",),
    "src_vocab_threshold": (0,),
}
# What may have been done to the training text: what cuts it as we do, and what only varies or leaves out sentences.
TRANSFORMS = ("sentencepiece", "filtertoolong", "clean", "switchout", "tokendrop", "tokenmask", "uppercase")


def read(path: Path) -> Foreign:
    """Read a checkpoint, without running what a pickle could hold.

    Raises:
        ImportRefused: it is none, or has an option that is not covered; names it.
    """
    with refusing(f"{path} is no checkpoint of OpenNMT-py 3"):
        return _read(path)


def _read(path: Path) -> Foreign:
    with torch.serialization.safe_globals([argparse.Namespace]):
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    options = vars(checkpoint["opt"])
    require("OpenNMT-py", options, COVERED)
    for transform in sorted(options.get("_all_transform", ())):
        require("OpenNMT-py", {"transforms": transform}, {"transforms": TRANSFORMS})
    names = [f"{side}_subword_model" for side in ("src", "tgt")]
    require_one_cutter({f"OpenNMT-py's {name}": options.get(name) for name in names})
    state, output, vocabularies = checkpoint["model"], checkpoint["generator"], checkpoint["vocab"]
    sides = [{str(piece): i for i, piece in enumerate(vocabularies[side])} for side in ("src", "tgt")]
    config = _config(options, state)
    kind = config.cell
    feeding = config.input_feeding
    pattern = "decoder.rnn.layers.{}.*" if feeding else "decoder.rnn.*_l{}"
    cells = [torch_cell(kind, state, pattern.format(layer)) for layer in range(config.decoder_layers)]
    weights = torch_encoder(kind, state, config.encoder_layers, config.bidirectional)
    weights |= decoder_cells(cells, config.embedding_size)
    joined = taken(state, "decoder.attn.linear_out.weight")  # reads [c; h]
    size = config.decoder_hidden_size
    weights["decoder.readout_context.weight"], weights["decoder.readout_state.weight"] = joined.split(size, 1)
    weights["decoder.readout_state.bias"] = torch.zeros(size)
    if config.context == "general":
        # (W h) . m is h . (W' m), and W' m is a key.
        weights["decoder.attention.key.weight"] = taken(state, "decoder.attn.linear_in.weight").t()
    return Foreign(
        config=config,
        weights=weights,
        source=sides[0],
        target=sides[1],
        source_embedding=taken(state, f"encoder.{EMBEDDING}"),
        target_embedding=taken(state, f"decoder.{EMBEDDING}"),
        output=taken(output, "weight"),
        output_bias=taken(output, "bias"),
        special={"<unk>": "<unk>", "<s>": str(vocabularies.get("decoder_start_token", "<s>")), "</s>": "</s>"},
    )


def _config(options: dict[str, Any], state: dict[str, Any]) -> ModelConfig:
    sizes = [taken(state, f"{side}.{EMBEDDING}").shape[1] for side in ("encoder", "decoder")]
    if sizes[0] != sizes[1]:
        raise ImportRefused(f"OpenNMT-py's src_word_vec_size {sizes[0]} and tgt_word_vec_size {sizes[1]} must be equal")
    size, layers, *encoder = (
        number("OpenNMT-py", options, name) for name in ("dec_hid_size", "dec_layers", "enc_hid_size", "enc_layers")
    )
    if encoder != [size, layers]:
        raise ImportRefused("OpenNMT-py's encoder and decoder must have as many layers, of the same size")
    both = options["encoder_type"] == "brnn"
    return ModelConfig.model_validate(
        {
            "cell": options["rnn_type"].lower(),
            "embedding_size": sizes[0],
            "encoder_hidden_size": size // (1 + both),
            "encoder_layers": layers,
            "bidirectional": both,
            "decoder_hidden_size": size,
            "decoder_layers": layers,
            "context": options["global_attention"],
            "input_feeding": bool(options.get("input_feed", 1)),
            "bridge": "copy",
            "readout_size": size,
            "readout_word": False,
            "tie_embeddings": False,
            "tie_output": False,
        }
    )
