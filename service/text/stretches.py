"""Sentences of a line, found a stretch after the other.

sentencex takes time that grows with the square of a line, and most of all with its quotes and brackets that nothing
closes, so that it is given no more of either at once than lines have that people write.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate, pairwise

import sentencex

LONGEST = 8192  # characters
MOST_MARKS = 128

_quotes = (chr(point) for point in range(0x10000) if unicodedata.category(chr(point)) in ("Pi", "Pf", "Ps", "Pe"))
_MARK = re.compile(f"[{re.escape(''.join(_quotes))}'\"`]")
_SPACE_BEFORE_POINT = re.compile(r"(?<!\s)\s++(?=\.)")  # sentencex panics where it is none of ASCII's


def sentences(line: str, language: str) -> Iterator[str]:
    """Cut a line behind each sentence; `language` is a BCP-47 tag.

    What ends a stretch is looked at again with the next, unless it takes more than half of it.
    """
    marks = [match.start() for match in _MARK.finditer(line)]
    start = 0
    while start < len(line):
        end = _reach(line, start, marks)
        cut = _segment(line[start:end], language)
        if end < len(line) and len(cut[-1]) <= (end - start) // 2:
            end -= len(cut.pop())
        yield from cut
        start = end


def _reach(line: str, start: int, marks: list[int]) -> int:
    """Find where the stretch from `start` ends: behind a space, where its second half has one."""
    mark = bisect_left(marks, start) + MOST_MARKS
    end = min([start + LONGEST, len(line), *marks[mark : mark + 1]])
    space = line.rfind(" ", (start + end) // 2, end) if end < len(line) else -1
    return end if space < 0 else space + 1


def _segment(text: str, language: str) -> list[str]:
    shown = _SPACE_BEFORE_POINT.sub(lambda space: " " * len(space.group()), text)
    try:
        cut = sentencex.segment(language.split("-")[0].lower(), shown)
    except BaseException as error:  # a panic is no Exception
        if type(error).__name__ != "PanicException":
            raise
        cut = []
    if "".join(cut) != shown:
        return [text]
    return [text[start:end] for start, end in pairwise([0, *accumulate(map(len, cut))])]
