"""What a bundle scores on texts, and the proof that fp16 and int8 cost next to nothing of it."""

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from export.errors import QualityError
from export.manifest import score_entries
from models.evaluation import evaluate
from models.seq2seq import Seq2Seq
from models.tokenizer import Tokenizer
from service.parts import FP16, FP32, INT8, Score

log = logging.getLogger("export.scoring")
LARGEST_LOSS = {FP16: 0.1, INT8: 0.3}  # BLEU that a precision may cost
Texts = Sequence[tuple[Path, Sequence[tuple[str, str]]]]  # files and their pairs


def score_texts(
    texts: Texts,
    tokenizer: Tokenizer,
    models: Mapping[str, Seq2Seq],
    precisions: Collection[str],
    earlier: Sequence[Score],
) -> list[Score]:
    """Translate texts with a model in its precisions and record the scores of some of them behind earlier ones.

    Earlier scores of the same texts are left out. A bundle's first precision goes without saying, others are named.

    Raises:
        QualityError: a precision loses more than `LARGEST_LOSS`; names the text and both scores.
    """
    datasets = [f"{path.parent.name}/{path.name}" for path, _ in texts]
    scores = []
    for score in earlier:
        dataset, precision = _read(score.dataset)
        if dataset not in datasets:
            scores.append(score.model_copy(update={"dataset": _named(dataset, precision, precisions)}))
    for dataset, (path, pairs) in zip(datasets, texts, strict=True):
        log.info("translating the %d sentences of %s", len(pairs), path)
        found = {precision: evaluate(model, tokenizer, pairs) for precision, model in models.items()}
        for precision in LARGEST_LOSS.keys() & found.keys():
            compared = f"BLEU on {dataset}: fp32 {found[FP32].bleu:.2f}, {precision} {found[precision].bleu:.2f}"
            log.info("%s", compared)
            if found[FP32].bleu - found[precision].bleu > LARGEST_LOSS[precision]:
                why = f"it may lose {LARGEST_LOSS[precision]}: export it without --precision {precision}"
                raise QualityError(f"{compared}; {why}")
        for precision in precisions:
            scores += score_entries(found[precision], _named(dataset, precision, precisions))
    return scores


def _named(dataset: str, precision: str, precisions: Collection[str]) -> str:
    return dataset if precision == next(iter(precisions)) else f"{dataset} (in {precision})"


def _read(dataset: str) -> tuple[str, str]:
    """Undo `_named` for a bundle that can be exported again: its first precision is fp32."""
    for precision in LARGEST_LOSS:
        plain = dataset.removesuffix(f" (in {precision})")
        if plain != dataset:
            return plain, precision
    return dataset, FP32
