"""Sentences of a text, and parts of sentences that are too long."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from service.text.limits import MAX_SEGMENTS, TooMuch
from service.text.pieces import Span
from service.text.stretches import sentences

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

    Raises:
        TooMuch: there are too many sentences.
    """
    segments: list[Segment] = []
    for chunk in _chunks(text, language):
        body = chunk.lstrip()
        if leading := chunk[: len(chunk) - len(body)]:
            before = segments.pop() if segments else Segment("", "")
            segments.append(Segment(before.text, before.separator + leading))
        if body:
            segments.append(_segment(body))
        if len(segments) > MAX_SEGMENTS:
            raise TooMuch("sentences", MAX_SEGMENTS)
    return segments


def fit(segment: Segment, limit: int, count: Callable[[str], int]) -> list[Segment]:
    """Cut a segment into parts of at most `limit` pieces as `count` counts them; the parts joined are the segment.

    Near the middle, a semicolon or colon is best, then a comma, then a space, and inside a word is the last resort. A
    single character is not cut, whatever it counts.
    """
    cuts = [[match.span() for match in pattern.finditer(segment.text)] for pattern in _CUTS]
    parts: list[Segment] = []
    waiting = [(0, len(segment.text), segment.separator)]
    while waiting:
        start, end, separator = waiting.pop()
        text = segment.text[start:end]
        if len(text) <= 1 or count(text) <= limit:
            parts.append(Segment(text, separator))
            continue
        first_end, second_start = _cut(cuts, start, end)
        waiting.append((second_start, end, separator))
        waiting.append((start, first_end, segment.text[first_end:second_start]))
    return parts


def _chunks(text: str, language: str) -> Iterator[str]:
    """Cut into sentences, and stretches of space that end a line."""
    end = 0
    for match in _SPACE.finditer(text):
        if match.group().splitlines()[0] != match.group():
            yield from sentences(text[end : match.start()], language)
            yield match.group()
            end = match.end()
    yield from sentences(text[end:], language)


def _segment(chunk: str) -> Segment:
    text = chunk.rstrip()
    return Segment(text, chunk[len(text) :])


def _cut(cuts: Sequence[Sequence[Span]], start: int, end: int) -> Span:
    """Find where the first half of a part ends and the second starts."""
    middle = (start + end) / 2
    for places, margin in zip(cuts, (_MARGIN, _MARGIN, 0.0), strict=True):  # before a word is cut, any space will do
        least, most = start + margin * (end - start), end - margin * (end - start)
        at = bisect_left(places, middle, key=lambda place: place[0])
        near = [place for place in places[max(at - 1, 0) : at + 1] if least < place[0] and place[1] < most]
        if near:
            return min(near, key=lambda place: abs(place[0] - middle))
    return int(middle), int(middle)
