"""Inline markup: tags are taken out of a text, and pairs are found."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from service.text.limits import MAX_TAGS, TooMuch

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
    touches a character there, rather than a space or the text's end. `spaced`: a space was put in behind it. `inside`:
    it stood inside of an item, whose `original` holds it.
    """

    text: str
    name: str
    kind: Literal["open", "close", "empty"]
    position: int
    glued: tuple[bool, bool]
    spaced: bool = False
    inside: bool = False

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
    """Take the tags out of a text; one that breaks the line between two words leaves a space.

    Raises:
        TooMuch: there are too many tags.
    """
    matches = list(islice(_TAG.finditer(text), MAX_TAGS + 1))
    if len(matches) > MAX_TAGS:
        raise TooMuch("tags", MAX_TAGS)
    shown: list[str] = []
    origin: list[int] = []
    tags: list[Tag] = []
    end = position = 0
    spaced = False  # behind the character before
    for match, following in zip(matches, _following(matches, text), strict=True):
        start = match.start()
        if end < start:
            shown.append(text[end:start])
            origin += range(end, start)
            position += start - end
            spaced = False
        before = text[origin[-1]] if origin else " "
        # A space that was put in stands for its tag: text[origin] is "<", so that a tag behind is glued to it still.
        glued = not before.isspace(), not following.isspace()
        kind, name = _kind(match), match["name"].lower()
        put = name in _BREAKING and all(glued) and not spaced
        tags.append(Tag(match.group(), name, kind, position, glued, put))
        if put:
            shown.append(" ")
            origin.append(start)
            position += 1
            spaced = True
        end = match.end()
    shown.append(text[end:])
    origin += range(end, len(text))
    return Bare("".join(shown), origin, tags)


def _following(matches: Sequence[re.Match[str]], text: str) -> list[str]:
    """Find the character behind each tag and those that touch it; a space at the text's end."""
    found: list[str] = []
    for index in reversed(range(len(matches))):
        end = matches[index].end()
        touching = index + 1 < len(matches) and matches[index + 1].start() == end
        found.append(found[-1] if touching else text[end : end + 1] or " ")
    return found[::-1]


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
