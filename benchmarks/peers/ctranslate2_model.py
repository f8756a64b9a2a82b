"""A Transformer for CTranslate2 of the bundled model's size, with random weights and no wish to end.

CTranslate2 runs no recurrent network. What a translation costs depends on sizes and lengths, not on weights.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

VOCABULARY = 8000
WIDTH, INNER, HEADS, LAYERS = 256, 640, 4, 3  # INNER is what brings the parameters to the bundled model's number
BEGIN, END = "<s>", "</s>"
NEVER = -1e9  # bias of the end symbol: a sentence ends when it is told to


def parameters() -> int:
    """Count the parameters; the embeddings of both sides and the output are one matrix.

    One attention has four projections of WIDTH x WIDTH with biases, whatever its heads.
    """
    attention = 4 * (WIDTH * WIDTH + WIDTH)
    inner = WIDTH * INNER + INNER + INNER * WIDTH + WIDTH
    norm = 2 * WIDTH
    encoder = LAYERS * (attention + inner + 2 * norm) + norm
    decoder = LAYERS * (2 * attention + inner + 3 * norm) + norm
    return VOCABULARY * WIDTH + VOCABULARY + encoder + decoder


class Weights:
    """Fill a specification with random numbers, always the same."""

    def __init__(self) -> None:
        self._random = numpy.random.default_rng(1)

    def normal(self, *shape: int, scale: float, mean: float = 0) -> NDArray[numpy.float32]:
        """Draw numbers of a normal distribution."""
        return (mean + scale * self._random.standard_normal(shape)).astype(numpy.float32)

    def linear(self, spec: Any, inputs: int, outputs: int) -> None:
        """Fill a projection."""
        spec.weight = self.normal(outputs, inputs, scale=inputs**-0.5)
        spec.bias = self.normal(outputs, scale=0.01)

    def norm(self, spec: Any) -> None:
        """Fill a layer normalization."""
        spec.gamma, spec.beta = self.normal(WIDTH, scale=0.01, mean=1), self.normal(WIDTH, scale=0.01)

    def attention(self, spec: Any, *, own: bool) -> None:
        """Fill an attention; `own`: to the same side, with queries, keys and values in one projection."""
        self.norm(spec.layer_norm)
        for linear, outputs in zip(spec.linear, (3, 1) if own else (1, 2, 1), strict=True):
            self.linear(linear, WIDTH, outputs * WIDTH)

    def layer(self, spec: Any) -> None:
        """Fill a layer of either side."""
        self.attention(spec.self_attention, own=True)
        if hasattr(spec, "attention"):
            self.attention(spec.attention, own=False)
        self.norm(spec.ffn.layer_norm)
        self.linear(spec.ffn.linear_0, WIDTH, INNER)
        self.linear(spec.ffn.linear_1, INNER, WIDTH)


def build(vocabulary: list[str], folder: Path) -> None:
    """Write the model."""
    from ctranslate2.specs import TransformerSpec  # here, so that the parameters can be counted without it

    weights, spec = Weights(), TransformerSpec.from_config(LAYERS, HEADS)
    shared = weights.normal(len(vocabulary), WIDTH, scale=WIDTH**-0.5)
    for embeddings in (*spec.encoder.embeddings, spec.decoder.embeddings, spec.decoder.projection):
        embeddings.weight = shared
    spec.decoder.projection.bias = weights.normal(len(vocabulary), scale=0.01)
    spec.decoder.projection.bias[vocabulary.index(END)] = NEVER
    for side in (spec.encoder, spec.decoder):
        weights.norm(side.layer_norm)
        for layer in side.layer:
            weights.layer(layer)
    spec.register_source_vocabulary(vocabulary)
    spec.register_target_vocabulary(vocabulary)
    spec.config.decoder_start_token = BEGIN
    spec.validate()
    spec.optimize()  # equal weights become one
    spec.save(str(folder))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    build(json.loads((target / "pieces.json").read_text(encoding="utf-8")), target)
