"""How large the inputs of products can become by construction, which no data tells as surely."""

from torch import nn

from models.seq2seq import Seq2Seq

Ranges = dict[str, float | None]  # by the name of the product's module; none: no bound, the product stays in float


def input_ranges(model: Seq2Seq) -> Ranges:
    """Bound the absolute inputs of every product of a sentence's or a step's.

    States, outputs of layers, annotations h_j and readouts are outputs of tanh, damped by gates or mixed by weights
    that sum to 1, so they lie between -1 and 1. Sums of layers have no such bound. Products of embeddings are not here:
    a server makes tables of them once, and then they cost nothing.
    """
    sizes = model.config
    *lower, annotation = _layer_ranges(model)
    output = None if sizes.residual and sizes.decoder_layers > 1 else 1.0  # of the top layer
    ranges: Ranges = {
        # The last states, which no layer is added to, or a mean of annotations.
        "decoder.bridge": annotation if sizes.bridge == "mean" else 1.0,
        "decoder.summary": 1.0,
        "decoder.attention.query": output if sizes.attends == "after" else 1.0,
        "decoder.attention.key": annotation,
        "decoder.cell.recurrent": 1.0,
        "decoder.context_cell.input": annotation,  # contexts are mixtures of annotations
        "decoder.context_cell.recurrent": 1.0,
        "decoder.context_input": annotation if sizes.has_attention else 1.0,
        "decoder.feed_input": 1.0,
        "decoder.readout_state": output,
        "decoder.readout_context": annotation if sizes.has_attention else 1.0,
        "output": 1.0,
    }
    for layer, read in enumerate([None, *lower]):
        for direction in range(len(model.encoder.backward)):
            cell = f"encoder.layers.{layer}.{direction}"
            ranges |= {f"{cell}.input": read} if layer else {}
            ranges[f"{cell}.recurrent"] = 1.0
    for layer in range(sizes.decoder_layers - 1):
        ranges[f"decoder.upper.{layer}.input"] = None if sizes.residual and layer > 0 else 1.0
        ranges[f"decoder.upper.{layer}.recurrent"] = 1.0
    there = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    return {name: largest for name, largest in ranges.items() if name in there}


def _layer_ranges(model: Seq2Seq) -> list[float | None]:
    """Bound what each layer of the encoder gives: a layer whose input is as wide as its output is added to it."""
    size = model.encoder.memory_size
    inputs = [model.config.embedding_size] + [size] * (model.config.encoder_layers - 1)
    return [None if model.config.residual and width == size else 1.0 for width in inputs]
