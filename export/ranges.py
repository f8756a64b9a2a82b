"""How large the inputs of products can become by construction, which no data tells as surely."""

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
    ranges: Ranges = {
        "decoder.bridge": 1.0,  # the last states, which no layer is added to
        "decoder.attention.query": 1.0,
        "decoder.attention.key": annotation,
        "decoder.cell.recurrent": 1.0,
        "decoder.readout_state": None if sizes.residual and sizes.decoder_layers > 1 else 1.0,
        "decoder.readout_context": annotation,  # contexts are mixtures of annotations
        "output": 1.0,
    }
    for layer, read in enumerate([None, *lower]):
        for direction in range(1 + sizes.bidirectional):
            cell = f"encoder.layers.{layer}.{direction}"
            ranges |= {f"{cell}.input": read} if layer else {}
            ranges[f"{cell}.recurrent"] = 1.0
    if sizes.conditional:
        ranges |= {"decoder.context_cell.input": annotation, "decoder.context_cell.recurrent": 1.0}
    else:
        ranges |= {"decoder.context_input": annotation}
    for layer in range(sizes.decoder_layers - 1):
        ranges[f"decoder.upper.{layer}.input"] = None if sizes.residual and layer > 0 else 1.0
        ranges[f"decoder.upper.{layer}.recurrent"] = 1.0
    return ranges


def _layer_ranges(model: Seq2Seq) -> list[float | None]:
    """Bound what each layer of the encoder gives: a layer whose input is as wide as its output is added to it."""
    size = model.encoder.memory_size
    inputs = [model.config.embedding_size] + [size] * (model.config.encoder_layers - 1)
    return [None if model.config.residual and width == size else 1.0 for width in inputs]
