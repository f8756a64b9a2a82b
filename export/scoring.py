"""What a bundle scores on texts, and the proof that int8 costs next to nothing of it."""

import logging
from collections.abc import Sequence
from pathlib import Path

from export.errors import QualityError
from export.golden import FP32
from export.manifest import score_entries
from models.evaluation import evaluate
from models.seq2seq import Seq2Seq
from models.tokenizer import Tokenizer
from service.bundle import Score

log = logging.getLogger("export.scoring")
LARGEST_LOSS = 0.3  # BLEU that int8 may cost
Texts = Sequence[tuple[Path, Sequence[tuple[str, str]]]]  # files and their pairs


def score_texts(
    texts: Texts, tokenizer: Tokenizer, model: Seq2Seq, quantized: Seq2Seq | None, earlier: Sequence[Score]
) -> list[Score]:
    """Translate texts with the model, or with what became of it in int8, and record its scores behind earlier ones.

    Earlier scores of the same texts are left out; those of other texts name their precision where it is another one.

    Raises:
        QualityError: int8 loses more than `LARGEST_LOSS`; names the text and both scores.
    """
    datasets = [f"{path.parent.name}/{path.name}" for path, _ in texts]
    suffix = "" if quantized is None else f" (in {FP32})"
    scores = [s.model_copy(update={"dataset": s.dataset + suffix}) for s in earlier if s.dataset not in datasets]
    for dataset, (path, pairs) in zip(datasets, texts, strict=True):
        log.info("translating the %d sentences of %s", len(pairs), path)
        found = evaluate(model, tokenizer, pairs)
        if quantized is not None:
            full, found = found.bleu, evaluate(quantized, tokenizer, pairs)
            compared = f"BLEU on {dataset}: fp32 {full:.2f}, int8 {found.bleu:.2f}"
            log.info("%s", compared)
            if full - found.bleu > LARGEST_LOSS:
                raise QualityError(f"{compared}; it may lose {LARGEST_LOSS}: export it with --precision fp32")
        scores += score_entries(found, dataset)
    return scores
