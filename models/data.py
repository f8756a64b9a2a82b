"""Parallel text: read it, turn it into ids, and cut it into batches that a run can come back to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch
from torch import Tensor

from models.config import DataConfig, TextFile
from models.segmentation import Segmentations
from models.tokenizer import BOS_ID, EOS_ID, PAD_ID, Tokenizer

Pair = tuple[list[int], list[int]]  # pieces of source and target


class DataError(Exception):
    """Say which file, and which line of it, is not parallel text."""


def read_pairs(root: Path, files: Sequence[TextFile], config: DataConfig) -> list[tuple[str, str]]:
    """Read (source, target) pairs from files below `root`, in the order given.

    Raises:
        DataError: a file is missing or not UTF-8, or a line lacks a side; names the file and the line. Or the files
            are all empty.
    """
    pairs = [pair for file in files for pair in _read_file(root, file, config)]
    if not pairs:
        raise DataError(f"no line in {', '.join(str(root / file.path) for file in files)}")
    return pairs


def _read_file(root: Path, file: TextFile, config: DataConfig) -> Iterator[tuple[str, str]]:
    if file.path.endswith(".tsv"):
        source, target = file.columns.index("source"), file.columns.index("target")
        for number, line in _lines(root / file.path):
            cells = line.split("\t")
            if len(cells) != len(file.columns):
                found = f"{len(cells)} columns, {len(file.columns)} expected ({', '.join(file.columns)})"
                raise DataError(f"{root / file.path}, line {number}: {found}")
            yield _checked(cells[source], cells[target], root / file.path, number)
        return
    sides = [root / f"{file.path}.{language}.txt" for language in (config.source_language, config.target_language)]
    sources, targets = (list(_lines(path)) for path in sides)
    if len(sources) != len(targets):
        raise DataError(f"{sides[0]} has {len(sources)} lines and {sides[1]} has {len(targets)}: they must be parallel")
    for (number, source_line), (_, target_line) in zip(sources, targets, strict=True):
        yield _checked(source_line, target_line, sides[0] if not source_line.strip() else sides[1], number)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield number, line.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, line {number}: not UTF-8 ({error.reason})") from error


def _checked(source: str, target: str, path: Path, number: int) -> tuple[str, str]:
    for side, text in (("source", source), ("target", target)):
        if not text.strip():
            raise DataError(f"{path}, line {number}: the {side} side is empty")
    return source, target


@dataclass(frozen=True)
class Batch:
    """Hold padded sentences on one device."""

    source_ids: Tensor  # (B, S)
    lengths: Tensor  # (B,)
    target_ids: Tensor  # (B, T + 1): bos, words, eos, padding
    target_tokens: int  # words and eos, without padding; of all processes


class Corpus:
    """Hold the ids of a training text and deal batches in an order that depends on seed, epoch and nothing else."""

    def __init__(self, pairs: Sequence[tuple[str, str]], tokenizer: Tokenizer, config: DataConfig) -> None:
        self.config, self.tokenizer = config, tokenizer
        sources = tokenizer.encode([source for source, _ in pairs])
        targets = tokenizer.encode([target for _, target in pairs])
        encoded = list(zip(sources, targets, strict=True))
        kept = [i for i, (source, target) in enumerate(encoded) if source and target and self._fits(source, target)]
        self.pairs = [encoded[i] for i in kept]
        self.segmentations = (
            [self._segmentations(side) for side in zip(*(pairs[i] for i in kept), strict=True)]
            if config.segmentations > 1
            else []
        )
        self.left_out = len(pairs) - len(kept)
        if not kept:
            raise DataError(f"no training pair has 1 to {config.max_pieces} pieces on both sides")

    def _fits(self, source: Sequence[int], target: Sequence[int]) -> bool:
        return max(len(source), len(target)) <= self.config.max_pieces

    def _segmentations(self, texts: Sequence[str]) -> Segmentations:
        return self.tokenizer.segmentations(texts, self.config.segmentations, self.config.segmentation_smoothing)

    def batches(self, seed: int, epoch: int, batch_tokens: int) -> list[list[Pair]]:
        """Group the pairs of one epoch into batches of at most `batch_tokens` padded target pieces.

        Pairs of like length share a batch, and batches come in random order.
        """
        random = numpy.random.default_rng((seed, epoch))
        pairs = self._joined(self._segmented(random), random)
        noise = random.uniform(0, 1, len(pairs))  # so that the mates of a pair differ from epoch to epoch
        order = sorted(range(len(pairs)), key=lambda i: (len(pairs[i][1]), len(pairs[i][0]) // 2, noise[i]))
        batches: list[list[Pair]] = [[]]
        for i in order:
            width = len(pairs[i][1]) + 1
            if batches[-1] and (len(batches[-1]) + 1) * width > batch_tokens:
                batches.append([])
            batches[-1].append(pairs[i])
        return [batches[i] for i in random.permutation(len(batches))]

    def _segmented(self, random: numpy.random.Generator) -> list[Pair]:
        """Draw how each text is split into pieces in this epoch (Kudo 2018), if there is more than one way."""
        if not self.segmentations:
            return self.pairs
        sides = [segmentations.draw(random) for segmentations in self.segmentations]
        drawn = zip(*sides, strict=True)
        return [pair if self._fits(*pair) else best for pair, best in zip(drawn, self.pairs, strict=True)]

    def _joined(self, alone: Sequence[Pair], random: numpy.random.Generator) -> list[Pair]:
        """Join a share of the pairs, two to four at a time, so that the model meets longer inputs."""
        order = random.permutation(len(alone))
        share = int(len(order) * self.config.concatenate)
        pairs = [alone[i] for i in order[share:]]
        source: list[int] = []
        target: list[int] = []
        left = 0
        for i in order[:share]:
            more_source, more_target = alone[i]
            full = not self._fits(source + more_source, target + more_target)
            if source and (left == 0 or full):
                pairs.append((source, target))
                source, target, left = [], [], 0
            left = left - 1 if source else int(random.integers(1, 4))
            source, target = source + more_source, target + more_target
        return [*pairs, (source, target)] if source else pairs


def collate(
    pairs: Sequence[Pair],
    device: torch.device,
    target_tokens: int | None = None,
    end: bool = False,
) -> Batch:
    """Pad pairs into one batch on `device`, sources with eos if `end`.

    `target_tokens` are those of all processes, where these pairs are a share.
    """
    if not pairs:
        nothing = torch.zeros((0, 1), dtype=torch.int64, device=device)
        return Batch(nothing, nothing[:, 0], nothing, target_tokens or 0)
    source_ids, lengths = pad_sources([source for source, _ in pairs], end)
    target_ids, target_lengths = pad([[BOS_ID, *target, EOS_ID] for _, target in pairs])
    return Batch(
        source_ids.to(device, non_blocking=True),
        lengths.to(device, non_blocking=True),
        target_ids.to(device, non_blocking=True),
        int(target_lengths.sum()) - len(pairs) if target_tokens is None else target_tokens,
    )


def pad_sources(rows: Sequence[Sequence[int]], end: bool) -> tuple[Tensor, Tensor]:
    """Pad the pieces of sources, with eos behind them if the model reads one; gives what `pad` does."""
    return pad([[*row, EOS_ID] for row in rows] if end else rows)


def pad(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Pad ids to a rectangle (B, S) and return it with the lengths (B,)."""
    lengths = torch.tensor([len(row) for row in rows])
    padded = torch.full((len(rows), int(lengths.max())), PAD_ID)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = torch.as_tensor(row)
    return padded, lengths
