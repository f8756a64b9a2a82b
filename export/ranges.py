"""How large the inputs of products can become by construction, which no data tells as surely."""

from models.seq2seq import Seq2Seq

Ranges = dict[str, float | None]  # by the name of the product's module; none: no bound, the product stays in float


def input_ranges(model: Seq2Seq) -> Ranges:
    """Bound the absolute inputs of every product outside the encoder's layers.

    States, annotations h_j and readouts are outputs of tanh, damped by gates or mixed by weights that sum to 1, so
    they lie between -1 and 1; embeddings lie in the range of their table. Sums of layers have no such bound.
    """
    sizes = model.config
    embedded = float(model.target_embedding.weight.detach().abs().max()) * model.embedding_scale
    read = sizes.embedding_size if sizes.encoder_layers == 1 else model.encoder.memory_size  # by the last layer
    annotation = None if sizes.residual and read == model.encoder.memory_size else 1.0
    ranges: Ranges = {
        "decoder.bridge": 1.0,  # the last states, which no layer is added to
        "decoder.attention.query": 1.0,
        "decoder.attention.key": annotation,
        "decoder.cell.input": embedded,
        "decoder.cell.recurrent": 1.0,
        "decoder.readout_state": None if sizes.residual and sizes.decoder_layers > 1 else 1.0,
        "decoder.readout_input": embedded,
        "decoder.readout_context": annotation,  # contexts are mixtures of annotations
        "output": 1.0,
    }
    if sizes.conditional:
        ranges |= {"decoder.context_cell.input": annotation, "decoder.context_cell.recurrent": 1.0}
    else:
        ranges |= {"decoder.context_input": annotation}
    for layer in range(sizes.decoder_layers - 1):
        ranges[f"decoder.upper.{layer}.input"] = None if sizes.residual and layer > 0 else 1.0
        ranges[f"decoder.upper.{layer}.recurrent"] = 1.0
    return ranges
