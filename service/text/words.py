"""The words of a text.

Words are what whitespace and punctuation (Unicode's categories P*) separate; symbols such as € or ☃ are part of words,
so an emoji is one. Some punctuation is kept inside a word:

- apostrophes and hyphens between its characters: don't, Sea-View, l'été, snake_case;
- points, commas, colons and slashes between digits: 3.14, 1,250.50, 10:30, 12/05/2024;
- the points of abbreviated letters, the last one too: U.S., z.B.

Scripts without spaces (Chinese, Japanese, Thai) are not cut further: a run between two marks is one word.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from service.text.characters import of_category
from service.text.pieces import Span

_MARKS = of_category("P")
_PUNCTUATION = re.escape("".join(sorted(_MARKS)))
_CHARACTER = rf"[^\s{_PUNCTUATION}]"
_TOKEN = re.compile(
    rf"(?<![\w.])(?:[^\W\d_]\.){{2,}}+(?!\w)"
    rf"|{_CHARACTER}+(?:(?:['\u2019\u2010\u2011\u00b7_-]|(?<=\d)[.,:/](?=\d)){_CHARACTER}+)*"
    rf"|[{_PUNCTUATION}]"
)


class Word(NamedTuple):
    """Hold a word as it stands in a text, and its code points there: the first, and the first behind."""

    text: str
    start: int
    end: int

    @property
    def span(self) -> Span:
        """Return where the word stands."""
        return self.start, self.end

    @property
    def is_mark(self) -> bool:
        """Tell a punctuation mark from a word."""
        return self.text in _MARKS


def words(text: str, whole: Sequence[Span] = ()) -> list[Word]:
    """List the words of a text in order; each span of `whole` (sorted, disjoint) is one word whatever it holds."""
    return [token for token in tokens(text, whole) if not token.is_mark]


def tokens(text: str, whole: Sequence[Span] = ()) -> list[Word]:
    """List words and single punctuation marks in order: all that is not whitespace. `whole` as for `words`."""
    found = []
    start = 0
    for whole_start, whole_end in (*whole, (len(text), len(text))):
        between = text[start:whole_start]  # a copy, so that no pattern looks beyond it
        found += [Word(match.group(), start + match.start(), start + match.end()) for match in _TOKEN.finditer(between)]
        if whole_end > whole_start:
            found.append(Word(text[whole_start:whole_end], whole_start, whole_end))
        start = whole_end
    return found
