"""One export, from a training run or an earlier bundle to a version in the model repository."""

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from export.convert import write_graphs
from export.errors import ExportError
from export.golden import golden_translations
from export.halved import halve
from export.manifest import VOCABULARY, describe
from export.origin import Origin, read_origin
from export.parity import check_golden, check_graphs
from export.place import choose_version, unfinished
from export.quantized import quantize
from export.scoring import score_texts
from export.signature import Signature
from export.weights import round_to_half
from models.config import TextFile
from models.data import read_pairs
from models.seq2seq import Seq2Seq
from service.bundle import read_bundle
from service.manifest import MANIFEST
from service.parts import FP16, FP32, INT8, Limits

log = logging.getLogger("export")
# What a model computes in each precision, in PyTorch.
REFERENCES: dict[str, Callable[[Seq2Seq], Seq2Seq]] = {FP32: lambda model: model, FP16: halve, INT8: quantize}
DEFAULT_LIMITS = Limits(max_source_tokens=256, max_length=256)


@dataclass(frozen=True)
class Options:
    """Say what to export and where to."""

    run: Path  # or the folder of a bundle
    target: Path  # MODEL_REPOSITORY/NAME
    version: int | None = None  # none: the next free one
    half: bool = True  # store the weights as fp16, where they are not int8
    candidates: int = 16
    limits: Limits = DEFAULT_LIMITS
    scores: tuple[Path, ...] = ()  # parallel texts to translate and score
    attribution: Path | None = None
    card: Path | None = None
    precisions: tuple[str, ...] = (FP32,)  # of the products


def export(options: Options, origin: Origin | None = None) -> Path:
    """Write a bundle of an origin, or of the run or bundle that the options name, and return its folder.

    If anything fails, nothing is left behind.

    Raises:
        ExportError: the export was refused.
        RunError, DataError, VocabularyError: the run or a text to score cannot be read.
        BundleError: the bundle to export again is not whole, or the serving code refuses the new one.
    """
    version = choose_version(options.target, options.version)
    origin = origin or read_origin(options.run)
    tokenizer, model, data = origin.tokenizer, origin.model, origin.data
    if options.candidates > len(tokenizer):
        raise ExportError(f"--candidates {options.candidates}: the vocabulary has only {len(tokenizer)} pieces")
    paths = [path.resolve() for path in options.scores]
    texts = [(path, read_pairs(Path("/"), [TextFile(path=str(path))], data)) for path in paths]
    if options.half:
        round_to_half(model)
    signature = Signature.of(model, options.candidates)
    if not signature.sequence:
        log.info("no graph encoder_sequence: ONNX's recurrent operators know no layer norm")
    models = {p: REFERENCES[p](model) for p in REFERENCES if p in (FP32, *options.precisions)}
    served = {precision: one for precision, one in models.items() if precision in options.precisions}
    golden = golden_translations(served, tokenizer, data.golden, options.limits, origin.other_golden)
    with unfinished(options.target, version) as folder:
        _copy(tokenizer.path, folder / VOCABULARY)
        _copy(options.attribution, folder / "ATTRIBUTION.md")
        _copy(options.card, folder / "MODEL_CARD.md")
        log.info("writing the graphs")
        write_graphs(model, served, signature, options.half, folder)
        scores = score_texts(texts, tokenizer, models, served, origin.scores)
        name = options.target.name
        manifest = describe(name, data, model, signature, options.limits, golden, scores, served, folder)
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
        log.info("comparing the serving code with PyTorch")
        bundle = read_bundle(folder)
        for precision, one in served.items():
            parity = check_graphs(bundle, precision, one)
            check_golden(bundle, precision)
            log.info("%s: largest difference %.1e, %d ties among candidates", precision, parity.largest, parity.ties)
    return options.target / str(version)


def _copy(source: Path | None, target: Path) -> None:
    if source is None:
        return
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise ExportError(f"cannot copy {source}: {error.strerror}") from error
