"""Beam search in PyTorch, over whole batches: how training text is translated for other models to learn from."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.data import pad_sources
from models.ensemble import Ensemble
from models.tokenizer import BOS_ID, EOS_ID


@torch.no_grad()
def search(
    ensemble: Ensemble, sources: Sequence[Sequence[int]], max_lengths: Sequence[int], width: int
) -> list[list[int]]:
    """Return the best translation that each source's beam of `width` hypotheses comes to, as piece ids.

    Of the W best continuations at a step, those that end compete by log-probability over ((5 + length) / 6), as the
    server's do by default (Wu et al. 2016, equation 14), and others take their places; W of them that have ended are
    enough. Where none has, the best is cut at its `max_lengths` words.
    """
    source_ids, lengths = (t.to(ensemble.device) for t in pad_sources(sources, ensemble.models[0].config.source_end))
    limits = torch.tensor(list(max_lengths), device=ensemble.device)
    memories, states = ensemble.encode(source_ids, lengths)
    states = [tuple(tensor.repeat_interleave(width, 1) for tensor in state) for state in states]
    count = len(sources)
    previous = torch.full((count, width), BOS_ID, device=ensemble.device)
    totals = torch.full((count, width), -torch.inf, device=ensemble.device)
    totals[:, 0] = 0  # all hypotheses are the same one yet
    words = previous[:, :, None][:, :, :0]
    best_rank = totals[:, 1:].new_full((count,), -torch.inf)
    best = torch.full((count, max(max_lengths)), EOS_ID, device=ensemble.device)
    ended = torch.zeros_like(limits)
    for length in range(1, int(limits.max()) + 1):
        scores, states = ensemble.step(previous, states, memories)
        values, places = (totals[:, :, None] + scores).flatten(1).topk(2 * width)  # no hypothesis ends twice
        parents, ids = places // scores.shape[-1], places % scores.shape[-1]
        words = torch.cat([_follow(words, parents), ids[:, :, None]], -1)  # (B, 2W, length)
        ending, possible = ids == EOS_ID, values > -torch.inf
        done = (ending & possible)[:, :width]
        rank, which = torch.where(done, values[:, :width] / ((5 + length) / 6), -torch.inf).max(1)
        ended += done.sum(1)
        _keep(best, best_rank, rank > best_rank, rank, words, which)
        going_on = (ending | ~possible).to(torch.int8).argsort(dim=1, stable=True)[:, :width]
        parents, previous, totals = (tensor.gather(1, going_on) for tensor in (parents, ids, values))
        words = _follow(words, going_on)
        states = [tuple(_follow(tensor, parents) for tensor in state) for state in states]
        cut = (limits == length) & (best_rank == -torch.inf)
        _keep(best, best_rank, cut, totals[:, 0], words, torch.zeros_like(which))
        over = (ended >= width) | (limits <= length)
        if bool(over.all()):
            break
        totals = totals.masked_fill(over[:, None], -torch.inf)
    rows: list[list[int]] = best.tolist()
    return [row[: row.index(EOS_ID)] if EOS_ID in row else row for row in rows]


def _follow(tensor: Tensor, parents: Tensor) -> Tensor:
    """Take from (B, W, *) what belongs to the parents (B, N); gives (B, N, *)."""
    return tensor.gather(1, parents[:, :, None].expand(-1, -1, tensor.shape[-1]))


def _keep(best: Tensor, best_rank: Tensor, where: Tensor, rank: Tensor, words: Tensor, which: Tensor) -> None:
    """Replace the best of some rows (B,) by one of their hypotheses (B, N, L)."""
    found = _follow(words, which[:, None])[:, 0]
    best[:, : found.shape[1]] = torch.where(where[:, None], found, best[:, : found.shape[1]])
    best[:, found.shape[1] :].masked_fill_(where[:, None], EOS_ID)
    best_rank.copy_(torch.where(where, rank, best_rank))
