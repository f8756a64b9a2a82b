"""What the model must not see or change is taken out of its source, and stand-ins mark the places.

Two-digit numbers are the stand-ins: any model copies them, whatever its languages, and attends to them sharply; names
get translated, and signs that the vocabulary does not know get lost more often. What the grammar around it depends on
stands for itself: glossary terms, and short whole numbers ("1 day", "in 1999").
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, count

from service.text.matches import Match, find, term_field
from service.text.notice import Notice
from service.text.options import TextOptions
from service.text.pieces import Span
from service.text.sentences import Segment
from service.text.tags import Bare, Tag, pairs, strip
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
    joined: bool = False  # it touched the item before; the space between their stand-ins was put in
    original: str = ""  # what it was in the source, with the tags inside of it


@dataclass(frozen=True)
class Protected:
    """Hold a source text split into what the model translates, `plain`, and what is put back afterwards."""

    plain: str
    items: tuple[Item, ...]
    tags: tuple[Tag, ...]  # at positions of `plain`, in order
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
        changes = [(tag.position, tag.position + tag.spaced, tag.text) for tag in self.tags if not tag.inside]
        for item in self.items:
            start, end = item.span
            changes += [(start - 1, start, "")] if item.joined else []
            changes.append((start, end, item.original))
        parts, done = [], 0
        for start, end, shown in sorted(changes, key=lambda change: change[:2]):
            parts += [self.plain[done:start], shown]
            done = max(done, end)
        return "".join(parts) + self.plain[done:]


def protect(text: str, options: TextOptions) -> Protected:
    """Take out of a source text what `options` asks for.

    Where matches overlap, the longest wins. A glossary term that is nowhere gets the notice `glossary_unused`.

    Raises:
        TooMuch: there are too many tags.
    """
    bare = strip(text) if options.tags else Bare(text, list(range(len(text))), [])
    matches, unused = find(bare.text, options)
    notices = [
        Notice("glossary_unused", f"The source does not hold the term {options.glossary[i].source!r}.", term_field(i))
        for i in unused
    ]
    protected = _substitute(text, bare, matches)
    return replace(protected, replace_unknowns=options.replace_unknowns, notices=tuple(notices))


def cut(protected: Protected, segments: Sequence[Segment]) -> list[tuple[Protected, str]]:
    """Cut at the segments that `plain` was split into: a part for the text of each, and what follows it in the source.

    What follows is the separator, with the tags that touch the text on neither side, and without space that was put in.
    Positions of `words` stay those of the whole text. The notices go to the first part. A stand-in that is cut stays
    with the first of its parts; a glossary term that is cut is left to the model, with the notice `not_transferred`.
    """
    parts: list[tuple[Protected, str]] = []
    start = done = used = 0
    positions = [tag.position for tag in protected.tags]
    put_in = {tag.position for tag in protected.tags if tag.spaced}
    put_in.update(item.span[0] - 1 for item in protected.items if item.joined)
    for segment in segments:
        end = start + len(segment.text)
        following = end + len(segment.separator)
        last = following == len(protected.plain)
        # A tag at the end touches this text, unless there is none, or the next one starts there.
        behind = (bisect_right if last or (segment.text and segment.separator) else bisect_left)(positions, end)
        part = _between(protected, min(max(start, done), end), end, protected.tags[used:behind])
        used = len(positions) if last else bisect_left(positions, following)
        separator = _space(protected.plain, end + (end in put_in), following, protected.tags[behind:used])
        notices = () if parts else protected.notices
        reaching = _reaching(protected, end)
        if reaching and reaching.words:
            message = f"The text was cut inside of {reaching.original!r}; the model translated it."
            notices += (Notice("not_transferred", message, reaching.field),)
        parts.append((replace(part, notices=notices), separator))
        done = reaching.span[1] if reaching and not reaching.in_place else 0
        start = following
    return parts


def truncate(protected: Protected, end: int) -> Protected:
    """Keep what lies before code point `end` of `plain`.

    An item that reaches beyond is dropped, and its stand-in with it. Of the tags at the end, all but opening ones
    stay. A closing tag further on stays, at the end, if its opening one does, so that what is kept is well formed.
    """
    if end >= len(protected.plain):
        return protected
    end = max(end, 0)
    reaching = _reaching(protected, end)
    if reaching and (not reaching.in_place or reaching.joined):  # the space before a joined one is not the text's
        end = reaching.span[0]
    before = {
        index
        for index, tag in enumerate(protected.tags)
        if tag.position < end or (tag.position == end and tag.kind != "open")
    }
    partners = pairs(protected.tags)
    unopened = {close for opening, close in partners.items() if opening not in before}
    kept = (before | set(partners.values())) - unopened
    return _between(protected, 0, end, [protected.tags[index] for index in sorted(kept)])


def _between(protected: Protected, start: int, end: int, tags: Sequence[Tag]) -> Protected:
    """Keep what lies between two code points of `plain`, with the given tags."""
    first, last = (bisect_left(protected.items, at, key=lambda item: item.span[0]) for at in (start, end))
    items = [
        _shift_item(item, start, end)
        for item in protected.items[first:last]
        if item.span[1] <= end or not item.in_place
    ]
    first, last = (bisect_left(protected.spans, at, key=lambda span: span[0]) for at in (start, end))
    shifted = (replace(tag, position=min(max(tag.position, start), end) - start) for tag in tags)
    return replace(
        protected,
        plain=protected.plain[start:end],
        items=tuple(items),
        tags=tuple(replace(tag, inside=tag.inside and _held(items, tag.position)) for tag in shifted),
        words=protected.words[first:last],
        spans=tuple(_shift(span, start, end) for span in protected.spans[first:last]),
    )


def _space(plain: str, start: int, end: int, tags: Sequence[Tag]) -> str:
    """Return what lies between two code points of `plain`, with the given tags in it."""
    shown = []
    for tag in tags:
        shown += [plain[start : tag.position], tag.text]
        start = tag.position
    return "".join(shown) + plain[start:end]


def _reaching(protected: Protected, end: int) -> Item | None:
    """Find the item that `end` is inside of."""
    at = bisect_left(protected.items, end, key=lambda item: item.span[0]) - 1
    return protected.items[at] if at >= 0 and protected.items[at].span[1] > end else None


def _held(items: Sequence[Item], position: int) -> bool:
    at = bisect_right(items, position, key=lambda item: item.span[0]) - 1
    return at >= 0 and position <= items[at].span[1]


def _shift(span: Span, start: int, end: int) -> Span:
    return span[0] - start, min(span[1], end) - start


def _shift_item(item: Item, start: int, end: int) -> Item:
    return replace(item, span=_shift(item.span, start, end), joined=item.joined and item.span[0] > start)


def _substitute(text: str, bare: Bare, matches: Sequence[Match]) -> Protected:
    """Put the stand-ins into the text without tags and carry all positions over."""
    stand_ins = _fresh(bare.text)
    plain: list[str] = []
    items: list[Item] = []
    # Where each code point of the bare text is in the plain one, seen from what follows and from what precedes it.
    starts: list[int] = []
    ends: list[int] = []
    within: set[int] = set()  # the places inside of items
    for match in (*matches, None):
        behind = match.span[0] if match else len(bare.text)
        between = range(len(plain), len(plain) + behind - len(starts))
        plain += bare.text[len(starts) : behind]
        starts += between
        ends += between
        if match:
            source = bare.text[slice(*match.span)]
            in_place = match.words or (source.isdecimal() and len(source) <= SHORT_NUMBER)
            shown = source if in_place else next(stand_ins)
            joined = bool(
                items
                and items[-1].span[1] == len(plain)
                and not (in_place and items[-1].in_place)
                and plain[-1].isalnum()
                and shown[0].isalnum()
            )
            before = len(plain)
            plain += " " * joined + shown
            start = before + joined
            original = text[bare.origin[match.span[0]] : bare.origin[match.span[1] - 1] + 1]
            items.append(Item(match.text, (start, len(plain)), match.field, match.words, in_place, joined, original))
            inside = match.span[1] - match.span[0]
            starts += [start] * inside
            ends += [before] + [len(plain)] * (inside - 1)
            within.update(range(match.span[0] + 1, match.span[1]))
    starts.append(len(plain))
    ends.append(len(plain))
    found = words(bare.text, [match.span for match in matches if not match.words])
    originals = [(bare.origin[word.start], bare.origin[word.end - 1] + 1) for word in found]
    # In order, too, where an item or the space ahead of one has several.
    places = accumulate(((ends if tag.kind == "close" else starts)[tag.position] for tag in bare.tags), max)
    return Protected(
        plain="".join(plain),
        items=tuple(items),
        tags=tuple(
            replace(tag, position=place, inside=tag.position in within)
            for tag, place in zip(bare.tags, places, strict=True)
        ),
        words=tuple(Word(text[start:end], start, end) for start, end in originals),
        spans=tuple((starts[word.start], ends[word.end]) for word in found),
    )


def _fresh(text: str) -> Iterator[str]:
    """Give numbers that the text does not hold."""
    held = set(re.findall(r"\d+", text))
    return (str(number) for number in chain(STAND_INS, count(100)) if str(number) not in held)
