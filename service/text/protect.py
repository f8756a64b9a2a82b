"""What the model must not see or change is taken out of its source, and stand-ins mark the places.

Two-digit numbers are the stand-ins: any model copies them, whatever its languages, and attends to them sharply; names
get translated, and signs that the vocabulary does not know get lost more often. What the grammar around it depends on
stands for itself: glossary terms, and short whole numbers ("1 day", "in 1999").
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count

from service.text import entities, glossary
from service.text.notice import Notice
from service.text.options import TextOptions
from service.text.pieces import Span
from service.text.sentences import Segment
from service.text.tags import Bare, Tag, strip
from service.text.words import Word, words

STAND_INS = (84, 93, 61, 38, 22, 57, 49, 66, 97, 36, 62, 88, 53, 71, 44, 95)  # far apart, most often copied first
SHORT_NUMBER = 4  # digits


@dataclass(frozen=True)
class Item:
    """Hold a part of the source that gets a fixed text in the target, and where `plain` shows or stands in for it."""

    text: str
    span: Span
    field: str  # of the request, that asked for it
    words: bool = False  # `text` is words of the target language, not one unbreakable word
    in_place: bool = False  # `plain` shows the source as it was, no stand-in


@dataclass(frozen=True)
class Protected:
    """Hold a source text split into what the model translates, `plain`, and what is put back afterwards."""

    plain: str
    items: tuple[Item, ...]
    tags: tuple[Tag, ...]  # at positions of `plain`
    words: tuple[Word, ...]  # of the original text, at its positions
    spans: tuple[Span, ...]  # where each of `words` is in `plain`
    replace_unknowns: bool = False
    notices: tuple[Notice, ...] = ()

    @property
    def needs_alignment(self) -> bool:
        """Tell whether attention weights are needed to restore the target."""
        return bool(self.items or self.tags or self.replace_unknowns)

    @property
    def original(self) -> str:
        """Return the source text with all that was taken out of it."""
        changes = [(tag.position, tag.position, tag.text) for tag in self.tags]
        changes += [(*item.span, item.text) for item in self.items if not item.words]
        text, done = "", 0
        for start, end, shown in sorted(changes, key=lambda change: change[:2]):
            text += self.plain[done:start] + shown
            done = max(done, end)
        return text + self.plain[done:]


@dataclass(frozen=True)
class _Match:
    span: Span  # in the text without tags
    text: str
    field: str
    words: bool = False


def protect(text: str, options: TextOptions) -> Protected:
    """Take out of a source text what `options` asks for.

    Where matches overlap, the longest wins. A glossary term that is nowhere gets the notice `glossary_unused`.
    """
    bare = strip(text) if options.tags else Bare(text, list(range(len(text))), [])
    matches = list(_matches(bare.text, options))
    used = {match.field for match in matches}
    notices = [
        Notice("glossary_unused", f"The source does not hold the term {term.source!r}.", _term_field(index))
        for index, term in enumerate(options.glossary)
        if _term_field(index) not in used
    ]
    protected = _substitute(text, bare, _longest(matches, len(bare.text)))
    return replace(protected, replace_unknowns=options.replace_unknowns, notices=tuple(notices))


def cut(protected: Protected, segments: Sequence[Segment]) -> list[Protected]:
    """Cut at the segments that `plain` was split into, one part for the text of each.

    Positions of `words` stay those of the whole text. The notices go to the first part.
    """
    parts: list[Protected] = []
    start = 0
    firsts = [span[0] for span in protected.spans]
    item_starts = [item.span[0] for item in protected.items]
    positions = [tag.position for tag in protected.tags]
    for segment in segments:
        end = start + len(segment.text)
        following = end + len(segment.separator)
        # Tags behind the text, at the end or among line ends, stay with it; those at the next start go on.
        behind = (
            bisect_right(positions, following)
            if following == len(protected.plain)
            else bisect_left(positions, following)
        )
        inside = range(bisect_left(firsts, start), bisect_left(firsts, end))
        parts.append(
            Protected(
                plain=segment.text,
                items=tuple(
                    replace(item, span=_shift(item.span, start, end))
                    for item in protected.items[bisect_left(item_starts, start) : bisect_left(item_starts, end)]
                ),
                tags=tuple(
                    replace(tag, position=min(tag.position, end) - start)
                    for tag in protected.tags[bisect_left(positions, start) : behind]
                ),
                words=tuple(protected.words[index] for index in inside),
                spans=tuple(_shift(protected.spans[index], start, end) for index in inside),
                replace_unknowns=protected.replace_unknowns,
                notices=() if parts else protected.notices,
            )
        )
        start = following
    return parts


def _shift(span: Span, start: int, end: int) -> Span:
    return span[0] - start, min(span[1], end) - start


def _matches(text: str, options: TextOptions) -> Iterator[_Match]:
    kinds = {
        "input.transfer_urls": (options.urls, entities.urls),
        "input.transfer_emails": (options.emails, entities.emails),
        "input.transfer_placeholders": (options.placeholders, entities.placeholders),
        "input.transfer_numbers": (options.numbers, entities.numbers),
    }
    for index, term in enumerate(options.glossary):
        for span in glossary.occurrences(term, text):
            yield _Match(span, term.target, _term_field(index), words=True)
    for field, (wanted, find) in kinds.items():
        if wanted:
            for start, end in find(text):
                yield _Match((start, end), text[start:end], field)


def _longest(matches: Sequence[_Match], length: int) -> list[_Match]:
    """Choose matches that do not overlap, in order of the text; of equally long ones the first given wins."""
    taken = bytearray(length)
    chosen = []
    for match in sorted(matches, key=lambda match: match.span[0] - match.span[1]):
        start, end = match.span
        if not any(taken[start:end]):
            taken[start:end] = b"\1" * (end - start)
            chosen.append(match)
    return sorted(chosen, key=lambda match: match.span)


def _substitute(text: str, bare: Bare, matches: Sequence[_Match]) -> Protected:
    """Put the stand-ins into the text without tags and carry all positions over."""
    stand_ins = _fresh(bare.text)
    plain: list[str] = []
    items: list[Item] = []
    # Where each code point of the bare text is in the plain one, seen from what follows and from what precedes it.
    starts: list[int] = []
    ends: list[int] = []
    for match in (*matches, None):
        behind = match.span[0] if match else len(bare.text)
        between = range(len(plain), len(plain) + behind - len(starts))
        plain += bare.text[len(starts) : behind]
        starts += between
        ends += between
        if match:
            source = bare.text[slice(*match.span)]
            in_place = match.words or (source.isdecimal() and len(source) <= SHORT_NUMBER)
            start = len(plain)
            plain += source if in_place else next(stand_ins)
            items.append(Item(match.text, (start, len(plain)), match.field, match.words, in_place))
            inside = match.span[1] - match.span[0]
            starts += [start] * inside
            ends += [start] + [len(plain)] * (inside - 1)
    starts.append(len(plain))
    ends.append(len(plain))
    found = words(bare.text, [match.span for match in matches if not match.words])
    originals = [(bare.origin[word.start], bare.origin[word.end - 1] + 1) for word in found]
    return Protected(
        plain="".join(plain),
        items=tuple(items),
        tags=tuple(replace(tag, position=(ends if tag.kind == "close" else starts)[tag.position]) for tag in bare.tags),
        words=tuple(Word(text[start:end], start, end) for start, end in originals),
        spans=tuple((starts[word.start], ends[word.end]) for word in found),
    )


def _fresh(text: str) -> Iterator[str]:
    """Give numbers that the text does not hold."""
    held = set(re.findall(r"\d+", text))
    return (str(number) for number in chain(STAND_INS, count(100)) if str(number) not in held)


def _term_field(index: int) -> str:
    return f"glossary[{index}]"
