"""Inline markup: tags are taken out of a text, and pairs are found."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_ATTRIBUTE = r"""\s+[^\s"'<>/=]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>`]+))?"""
_TAG = re.compile(rf"<(?P<close>/)?(?P<name>[A-Za-z][\w:.-]*)(?:{_ATTRIBUTE})*\s*(?P<empty>/)?>")
# Never closed in HTML.
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
# Between two of these words never run together, even without a space.
_BREAKING = frozenset(
    ("br", "dd", "div", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "td", "th", "tr", "ul")
)


@dataclass(frozen=True)
class Tag:
    """Hold one tag and where it stood.

    `position` counts the code points before it in the text without tags. `glued` tells on either side whether it
    touches a character there, rather than a space or the text's end.
    """

    text: str
    name: str
    kind: Literal["open", "close", "empty"]
    position: int
    glued: tuple[bool, bool]

    @property
    def breaks(self) -> bool:
        """Tell whether what stands on both sides are different words."""
        return self.name in _BREAKING


@dataclass(frozen=True)
class Bare:
    """Hold a text without its tags; `origin` has where each of its code points stood in the text with tags."""

    text: str
    origin: list[int]
    tags: list[Tag]


def strip(text: str) -> Bare:
    """Take the tags out of a text; one that breaks the line between two words leaves a space."""
    matches = list(_TAG.finditer(text))
    taken = {point for match in matches for point in range(*match.span())}
    origin = [point for point in range(len(text)) if point not in taken]
    bare = [text[point] for point in origin]
    tags: list[Tag] = []
    spaces: dict[int, int] = {}  # where a space is put in, and the tag that it stands for
    for match in matches:
        position = bisect_left(origin, match.start())
        before, after = bare[max(position - 1, 0) : position], bare[position : position + 1]
        glued = any(not sign.isspace() for sign in before), any(not sign.isspace() for sign in after)
        tag = Tag(match.group(), match["name"].lower(), _kind(match), position + len(spaces), glued)
        tags.append(tag)
        if tag.breaks and all(glued):
            spaces.setdefault(position, match.start())
    for position, start in sorted(spaces.items(), reverse=True):
        bare.insert(position, " ")
        origin.insert(position, start)
    return Bare("".join(bare), origin, tags)


def pairs(tags: Sequence[Tag]) -> dict[int, int]:
    """Match closing tags with opening ones, as index of the opening to index of the closing tag.

    Where tags cross (`<b><i></b></i>`), the pair that closes first is kept and the others stay without a partner.
    """
    partners: dict[int, int] = {}
    opened: list[int] = []
    names: Counter[str] = Counter()  # of those opened
    for index, tag in enumerate(tags):
        if tag.kind == "open":
            opened.append(index)
            names[tag.name] += 1
        elif tag.kind == "close" and names[tag.name]:
            found = False
            while not found:
                last = opened.pop()
                names[tags[last].name] -= 1
                found = tags[last].name == tag.name
            partners[last] = index
    return partners


def _kind(match: re.Match[str]) -> Literal["open", "close", "empty"]:
    if match["empty"] or match["name"].lower() in _VOID:
        return "empty"
    return "close" if match["close"] else "open"
