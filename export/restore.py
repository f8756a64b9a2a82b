"""A bundle back to the PyTorch model that it was exported from: what export/graphs.py rearranged, undone."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx_ir
import torch
from pydantic import ValidationError
from torch import Tensor

from export.errors import ExportError
from models.config import ModelConfig
from models.greedy import default_max_length, greedy
from models.seq2seq import Seq2Seq
from models.tokenizer import PAD_ID, Tokenizer
from service.bundle import Bundle, read_bundle
from service.manifest import Manifest
from service.parts import FP32

Weights = dict[str, Tensor]


class RestoreError(ExportError):
    """Refuse a bundle that no model of ours was exported to."""


def restore(folder: Path) -> tuple[Tokenizer, Seq2Seq]:
    """Rebuild the model whose weights a bundle holds, in float32 and ready for inference.

    It has proved itself when it is returned: it translates the bundle's golden sentences as the manifest says.

    Raises:
        BundleError: the bundle is not whole.
        RestoreError: a weight is missing or has another shape, or the model is another one; names the weight. Or the
            bundle is not of full precision.
    """
    bundle = read_bundle(folder)
    manifest = bundle.manifest
    if FP32 not in manifest.precisions:
        found = " and ".join(manifest.precisions)
        raise RestoreError(f"{folder}: {found} weights cannot be restored: export the run or its fp32 bundle again")
    weights = _rearranged(_stored(bundle))
    for config in _configs(manifest, weights):
        model = Seq2Seq(config, manifest.vocabulary.size, PAD_ID).eval().requires_grad_(False)
        _fill(model, weights)
        if _translates_golden(model, manifest):
            return Tokenizer(bundle.file(manifest.vocabulary.file)), model
    raise RestoreError(
        f"{folder}: the model of its weights does not translate the golden sentences as the manifest says"
    )


def _stored(bundle: Bundle) -> Weights:
    """Read the weights of all graphs; what lies inside a graph file is a constant of its own, and no weight."""
    weights: Weights = {}
    for role in ("tables", "encoder", "step_full"):
        if not bundle.manifest.has(role, FP32):  # the first bundles had no tables
            continue
        graph = onnx_ir.load(bundle.file(bundle.manifest.graph(role, FP32).file)).graph
        for name, value in graph.initializers.items():
            if isinstance(value.const_value, onnx_ir.ExternalTensor):
                weights[name] = torch.from_numpy(value.const_value.numpy().astype("float32"))
    return weights


def _rearranged(stored: Weights) -> Weights:
    """Turn the matrices of products back; tables of embeddings and the output's lie as PyTorch has them."""
    return {
        name: tensor.t() if name.startswith(("encoder.", "decoder.")) and tensor.ndim == 2 else tensor
        for name, tensor in stored.items()
    }


def _configs(manifest: Manifest, weights: Weights) -> Iterator[ModelConfig]:
    """Read the architecture, or list what it may be where the manifest is of an earlier export."""
    for name in ("source_embedding.weight", "encoder.layers.0.0.recurrent.weight", "decoder.readout_state.weight"):
        if name not in weights:
            raise RestoreError(
                f"the graphs of {manifest.name} have no weight {name}, as those of foreign or of the first exports: "
                f"export the training run again (python -m export RUN MODEL_REPOSITORY/{manifest.name})"
            )
    if manifest.architecture.options:
        try:
            yield ModelConfig.model_validate(manifest.architecture.options)
        except ValidationError as error:
            raise RestoreError(f"the manifest of {manifest.name} describes no model of ours: {error}") from error
        return
    for residual in (False, True):  # the one choice that the weights do not show
        yield _seen(manifest, weights, residual)


def _seen(manifest: Manifest, weights: Weights, residual: bool) -> ModelConfig:
    """Read the sizes off the weights."""

    def size(name: str, axis: int) -> int:
        if name not in weights:
            raise RestoreError(f"the graphs of {manifest.name} have no weight {name}: export the training run again")
        return weights[name].shape[axis]

    def layers(pattern: str) -> int:
        return len({found[1] for name in weights if (found := re.match(pattern, name))})

    return ModelConfig.model_validate(
        {
            "cell": manifest.architecture.cell,
            "context": manifest.architecture.attention,
            "embedding_size": size("source_embedding.weight", 1),
            "encoder_hidden_size": size("encoder.layers.0.0.recurrent.weight", 1),
            "encoder_layers": layers(r"encoder\.layers\.(\d+)\."),
            "bidirectional": "encoder.layers.0.1.input.weight" in weights,
            "decoder_hidden_size": size("decoder.readout_state.weight", 1),
            "decoder_layers": 1 + layers(r"decoder\.upper\.(\d+)\."),
            "attends": "between" if "decoder.context_cell.input.weight" in weights else "before",
            "residual": residual,
            "attention_size": size("decoder.attention.key.weight", 0),
            "tie_embeddings": "target_embedding.weight" not in weights,
        }
    )


def _fill(model: Seq2Seq, weights: Mapping[str, Tensor]) -> None:
    parameters = dict(model.named_parameters())  # a tied matrix appears once
    for name in sorted(parameters.keys() | weights.keys()):
        expected = tuple(parameters[name].shape) if name in parameters else "none"
        found = tuple(weights[name].shape) if name in weights else "none"
        if found != expected:
            raise RestoreError(f"weight {name} of the bundle has shape {found}, the model needs {expected}")
        parameters[name].copy_(weights[name])


def _translates_golden(model: Seq2Seq, manifest: Manifest) -> bool:
    sources = [golden.source_ids for golden in manifest.golden]
    limits = [min(manifest.limits.max_length, default_max_length(len(source))) for source in sources]
    outputs = greedy(model, sources, limits)
    return all(ids == list(golden.outputs[FP32].ids) for ids, golden in zip(outputs, manifest.golden, strict=True))
