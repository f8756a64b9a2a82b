"""Golden translations: what PyTorch makes of a few sentences, clear-cut enough to be the same on every machine."""

import logging
from collections.abc import Mapping, Sequence

import torch

from export.errors import GoldenError
from models.data import pad_sources
from models.greedy import default_max_length
from models.seq2seq import Seq2Seq
from models.tokenizer import BOS_ID, EOS_ID, Tokenizer
from service.parts import FP16, FP32, INT8, Golden, GoldenOutput, Limits

log = logging.getLogger("export.golden")
# Nats. Other machines round sums differently. In fp32 that moves a margin by less than 1e-4; in int8, where a number on
# a border may end up a whole step further, by up to 0.05 (the bundled model, PyTorch and ONNX Runtime, 3,000 words). In
# fp16, where some round after each operation and some after several, it moves a log-probability by up to 0.05.
MARGINS = {FP32: 0.05, FP16: 0.2, INT8: 0.2}
KEPT = 8  # as many as a server replays
NEEDED = 3


def golden_translations(
    models: Mapping[str, Seq2Seq],
    tokenizer: Tokenizer,
    sentences: Sequence[str],
    limits: Limits,
    advice: str = "give others",
) -> list[Golden]:
    """Translate the sentences with a model in all its precisions and keep the first that are clear-cut in each.

    Raises:
        GoldenError: too few are clear-cut; names each one left out and why, and gives the advice.
    """
    golden, refused = [], []
    for sentence in sentences:
        (source_ids,) = tokenizer.encode([sentence])
        if not 1 <= len(source_ids) <= limits.max_source_tokens:
            refused.append(f"{sentence!r}: {len(source_ids)} pieces, 1 to {limits.max_source_tokens} are allowed")
            continue
        longest = min(limits.max_length, default_max_length(len(source_ids)))
        found = {precision: greedy(model, source_ids, longest) for precision, model in models.items()}
        close = {p: (margin, word) for p, (_, margin, word) in found.items() if margin < MARGINS[p]}
        for p, (margin, word) in close.items():
            why = f"differ by {margin:.3f} in {p}, less than {MARGINS[p]}"
            refused.append(f"{sentence!r}: the best two of word {word} {why}")
        if close:
            continue
        outputs = {p: GoldenOutput(ids=tuple(ids), text=tokenizer.decode([ids])[0]) for p, (ids, _, _) in found.items()}
        margin = round(min(margin for _, margin, _ in found.values()), 4)
        golden.append(Golden(source=sentence, source_ids=tuple(source_ids), outputs=outputs, margin=margin))
        if len(golden) == KEPT:
            break
    for line in refused:
        log.warning("golden sentence left out: %s", line)
    needed = min(NEEDED, len(sentences))
    if len(golden) < needed:
        raise GoldenError(
            f"{len(golden)} golden sentences are clear-cut, {needed} are needed: {advice}. "
            f"Left out: {'; '.join(refused)}"
        )
    return golden


@torch.no_grad()
def greedy(model: Seq2Seq, source_ids: Sequence[int], max_length: int) -> tuple[list[int], float, int]:
    """Decode one sentence by taking the best word at every step.

    Returns the words, the least margin in log-probability between the best two of any step, and that step, from 1.
    """
    ids, lengths = pad_sources([source_ids], model.config.source_end)
    memory, state = model.encode(ids, lengths)
    words, margins = [BOS_ID], [float("inf")]
    for _ in range(max_length):
        logits, state, _ = model.step(torch.tensor([words[-1:]]), state, memory)
        (first, second), (best, _) = (part.tolist() for part in logits[0, 0].topk(2))
        words.append(best)
        margins.append(first - second)
        if best == EOS_ID:
            break
    margin = min(margins)
    return [word for word in words[1:] if word != EOS_ID], margin, margins.index(margin)
