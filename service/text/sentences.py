"""Sentences of a text, and parts of sentences that are too long."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import sentencex

_SPACE = re.compile(r"\s+")
# Where a sentence is cut, best first; whitespace behind the cut becomes the separator.
_CUTS = (
    re.compile(r"(?<=[;:\u061b])\s+|(?<=[\uff1b\uff1a])\s*"),  # the full-width ones have no space behind them
    re.compile(r"(?<=[,)\u060c])\s+|(?<=[\uff0c\u3001])\s*"),
    _SPACE,
)
_MARGIN = 0.15  # share of the text at either end where only a worse place than the middle is found


@dataclass(frozen=True)
class Segment:
    """Hold a part of a text without space around it, and the space or line ends that follow it."""

    text: str
    separator: str


def split(text: str, language: str) -> list[Segment]:
    """Split a text into sentences; the segments joined are the text.

    Lines are split first, so that paragraphs and lists keep their layout. Space at the start of the text makes a
    segment without text. `language` is a BCP-47 tag; one that sentencex does not know gets its general rules.
    """
    chunks: list[str] = []
    for line in _lines(text):
        sentences = sentencex.segment(language.split("-")[0].lower(), line) if line.strip() else []
        chunks += sentences if "".join(sentences) == line else [line]
    segments: list[Segment] = []
    for chunk in chunks:
        body = chunk.lstrip()
        if leading := chunk[: len(chunk) - len(body)]:
            before = segments.pop() if segments else Segment("", "")
            segments.append(Segment(before.text, before.separator + leading))
        if body:
            segments.append(_segment(body))
    return segments


def fit(segment: Segment, limit: int, count: Callable[[str], int]) -> list[Segment]:
    """Cut a segment into parts of at most `limit` pieces as `count` counts them; the parts joined are the segment.

    Near the middle, a semicolon or colon is best, then a comma, then a space, and inside a word is the last resort. A
    single character is not cut, whatever it counts.
    """
    parts: list[Segment] = []
    waiting = [segment]
    while waiting:
        part = waiting.pop()
        if len(part.text) <= 1 or count(part.text) <= limit:
            parts.append(part)
            continue
        end, start = _cut(part.text)
        waiting.append(Segment(part.text[start:], part.separator))
        waiting.append(Segment(part.text[:end], part.text[end:start]))
    return parts


def _lines(text: str) -> list[str]:
    """Cut behind each stretch of space that ends a line."""
    ends = [match.end() for match in _SPACE.finditer(text) if match.group().splitlines()[0] != match.group()]
    return [text[start:end] for start, end in pairwise([0, *ends, len(text)])]


def _segment(chunk: str) -> Segment:
    text = chunk.rstrip()
    return Segment(text, chunk[len(text) :])


def _cut(text: str) -> tuple[int, int]:
    """Find where the first half ends and the second starts."""
    middle = len(text) / 2
    margin = _MARGIN * len(text)  # but before a word is cut, any space will do
    for pattern in _CUTS:
        if pattern is _SPACE:
            margin = 0
        places = [match.span() for match in pattern.finditer(text)]
        if inner := [place for place in places if margin < place[0] and place[1] < len(text) - margin]:
            return min(inner, key=lambda place: abs(place[0] - middle))
    return len(text) // 2, len(text) // 2
