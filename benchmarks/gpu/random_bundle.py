"""A bundle of any dimensions, with random weights: enough to time its steps."""

import json
from pathlib import Path

import torch

from export.convert import write_graphs
from export.exporter import DEFAULT_LIMITS
from export.halved import halve
from export.manifest import VOCABULARY, describe
from export.signature import Signature
from export.weights import round_to_half
from models.config import DataConfig, ModelConfig
from models.seq2seq import Seq2Seq
from models.tokenizer import PAD_ID
from service.bundle import Bundle, read_bundle
from service.manifest import MANIFEST
from service.parts import FP32, Golden, GoldenOutput

PRECISIONS = (FP32, "fp16")


def write_random_bundle(config: ModelConfig, vocabulary: int, folder: Path) -> Bundle:
    """Write graphs in fp32 and fp16 to FOLDER/random/1, whose vocabulary is none, and read them as a bundle."""
    torch.manual_seed(0)
    target = folder / "random" / "1"
    target.mkdir(parents=True)
    model = Seq2Seq(config, vocabulary, PAD_ID).eval()
    round_to_half(model)
    signature = Signature.of(model, candidates=16)
    (target / VOCABULARY).write_text("random weights have no pieces", encoding="utf-8")
    write_graphs(model, {FP32: model, "fp16": halve(model)}, signature, True, target)
    outputs = dict.fromkeys(PRECISIONS, GoldenOutput(ids=(5,), text=""))
    golden = Golden(source="random", source_ids=(5,), outputs=outputs, margin=0.0)
    texts = {"source_language": "en", "target_language": "xx", "train": ["none"], "valid": ["none"]}
    data = DataConfig.model_validate(texts | {"golden": ["random"]})
    manifest = describe("random", data, model, signature, DEFAULT_LIMITS, [golden], [], PRECISIONS, target)
    (target / MANIFEST).write_text(json.dumps(json.loads(manifest.model_dump_json())), encoding="utf-8")
    return read_bundle(target)
