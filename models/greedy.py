"""Greedy decoding in PyTorch: for validation, and the reference that the served model must agree with."""

from collections.abc import Callable, Sequence

import torch

from models.data import pad_sources
from models.seq2seq import Seq2Seq
from models.tokenizer import BOS_ID, EOS_ID

Decode = Callable[[Sequence[Sequence[int]], Sequence[int]], list[list[int]]]  # of sources and the most words of each


@torch.no_grad()
def greedy(model: Seq2Seq, sources: Sequence[Sequence[int]], max_lengths: Sequence[int]) -> list[list[int]]:
    """Decode piece ids by taking the best word at every step; each row stops at eos or its `max_lengths` words."""
    device = model.output.weight.device
    source_ids, lengths = (tensor.to(device) for tensor in pad_sources(sources, model.config.source_end))
    limits = torch.tensor(list(max_lengths), device=device)
    memory, state = model.encode(source_ids, lengths)
    previous = torch.full((len(sources), 1), BOS_ID, device=device)
    live = limits > 0
    words: list[torch.Tensor] = []
    while bool(live.any()):
        logits, state, _ = model.step(previous, state, memory)
        previous = logits.argmax(-1)
        words.append(torch.where(live, previous[:, 0], EOS_ID))
        live = live & (previous[:, 0] != EOS_ID) & (len(words) < limits)
    if not words:
        return [[] for _ in sources]
    rows: list[list[int]] = torch.stack(words, 1).tolist()
    return [row[: row.index(EOS_ID)] if EOS_ID in row else row for row in rows]


def default_max_length(source_length: int) -> int:
    """Return the words a target may have when nobody says otherwise; the server's default is the same."""
    return 2 * source_length + 10


def translate(model: Seq2Seq, sources: Sequence[Sequence[int]], batch_pieces: int = 8000) -> list[list[int]]:
    """Decode any number of sources greedily, in the order given."""
    return in_batches(sources, lambda rows, limits: greedy(model, rows, limits), batch_pieces)


def in_batches(sources: Sequence[Sequence[int]], decode: Decode, batch_pieces: int = 8000) -> list[list[int]]:
    """Decode any number of sources, sorted into batches of like length, in the order given; empty ones give nothing."""
    order = sorted(range(len(sources)), key=lambda i: -len(sources[i]))
    results: list[list[int]] = [[] for _ in sources]
    order = [i for i in order if sources[i]]
    while order:
        count = max(1, batch_pieces // len(sources[order[0]]))
        batch, order = order[:count], order[count:]
        rows = [sources[i] for i in batch]
        for i, result in zip(batch, decode(rows, [default_max_length(len(r)) for r in rows]), strict=True):
            results[i] = result
    return results
