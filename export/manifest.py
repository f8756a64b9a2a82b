"""What a bundle says of itself."""

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path

import onnx
import torch

from export.convert import planned
from export.signature import Signature
from models.config import DataConfig, ModelConfig
from models.evaluation import Scores
from models.seq2seq import Seq2Seq
from models.tokenizer import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from service.bundle import FORMAT_VERSION
from service.manifest import Manifest
from service.parts import FP32, NO_ATTENTION, Architecture, File, Golden, Graph, Limits, Score, SpecialIds, Vocabulary

VOCABULARY = "vocabulary.model"
DECODERS = {"before": "", "between": "conditional ", "after": "Luong "}  # by when they attend


def describe(
    name: str,
    data: DataConfig,
    model: Seq2Seq,
    signature: Signature,
    limits: Limits,
    golden: Sequence[Golden],
    scores: Sequence[Score],
    precisions: Collection[str],
    folder: Path,
) -> Manifest:
    """Describe the bundle whose other files are all in `folder`."""
    return Manifest(
        format_version=FORMAT_VERSION,
        name=name,
        producer=f"seq2serve export (torch {torch.__version__}, onnx {onnx.__version__})",
        description=f"Translates {data.source_language} to {data.target_language}.",
        source_language=data.source_language,
        target_language=data.target_language,
        architecture=_architecture(model, precisions),
        special_ids=SpecialIds(pad=PAD_ID, unk=UNK_ID, bos=BOS_ID, eos=EOS_ID),
        vocabulary=Vocabulary(file=VOCABULARY, size=signature.vocabulary),
        limits=limits,
        candidates=signature.candidates,
        source_end=model.config.source_end,
        state=signature.state,
        memory=signature.memory,
        tables=signature.tables,
        graphs=tuple(
            Graph(
                name=graph.name,
                role=graph.role,
                precision=graph.precision,
                file=graph.file,
                inputs=signature.inputs(graph.role, graph.precision),
                outputs=signature.outputs(graph.role, graph.precision),
            )
            for graph in planned(signature, precisions)
        ),
        files={path.name: _pin(path) for path in sorted(folder.iterdir())},
        golden=tuple(golden),
        training_data=tuple(file.path for file in data.train),
        licence=data.licence,
        scores=tuple(scores),
    )


def score_entries(scores: Scores, dataset: str) -> list[Score]:
    """Record BLEU and chrF of a text."""
    return [
        Score(metric="BLEU", value=round(scores.bleu, 2), dataset=dataset, signature=scores.bleu_signature),
        Score(metric="chrF", value=round(scores.chrf, 2), dataset=dataset, signature=scores.chrf_signature),
    ]


def _architecture(model: Seq2Seq, precisions: Collection[str]) -> Architecture:
    config = model.config
    direction = "bidirectional" if config.bidirectional else "reversed" if config.reverse_source else "unidirectional"
    summary = (
        f"{direction} {config.cell} encoder ({config.encoder_layers} x {config.encoder_hidden_size}), "
        f"{DECODERS[config.attends]}{config.cell} decoder ({config.decoder_layers} x {config.decoder_hidden_size}), "
        f"{_context(config)}, "
        f"{'shared' if config.tie_embeddings else 'separate'} embeddings ({config.embedding_size})"
        f"{', ' + ' or '.join(precisions) + ' products' if set(precisions) - {FP32} else ''}"
    )
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Architecture(
        cell=config.cell,
        attention=config.context if config.has_attention else NO_ATTENTION,
        parameters=parameters,
        summary=summary,
        options=config.model_dump(),
    )


def _context(config: ModelConfig) -> str:
    """Say what a step sees of the source."""
    if not config.has_attention:
        return "context at every step" if config.context == "fixed-every-step" else "context at the start"
    sized = config.context in ("additive", "concat", "multi-head")
    heads = f"{config.heads} x " if config.heads > 1 else ""
    feeding = " with input feeding" if config.input_feeding else ""
    return f"{config.context} attention{f' ({heads}{config.attention_size // config.heads})' if sized else ''}{feeding}"


def _pin(path: Path) -> File:
    with path.open("rb") as file:
        return File(bytes=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())
