"""The sentences of a file."""

import random
from pathlib import Path


def read_pairs(file: Path) -> list[tuple[str, str]]:
    """Read sources and targets, which are the last two columns of a line; a line of one column has no target."""
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    return [(row[-2], row[-1]) if len(row) > 1 else (row[0], "") for row in rows]


def read_texts(file: Path) -> list[str]:
    """Read sources."""
    return [source for source, _ in read_pairs(file)]


def draw_texts(file: Path, sentences: int | None = None) -> list[str]:
    """Draw some sources, or all of them in random order, the same ones each time."""
    texts = read_texts(file)
    random.Random(1).shuffle(texts)
    return texts[:sentences]
