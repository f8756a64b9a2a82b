"""Parts of a source text that are to be protected, and the choice among those that overlap."""

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heapreplace
from itertools import chain
from typing import NamedTuple

from service.text import entities, glossary
from service.text.options import TextOptions
from service.text.pieces import Span


class Match(NamedTuple):
    """Hold a part of a text, and the text that stands for it in the target."""

    span: Span
    text: str
    field: str  # of the request, that asked for it
    words: bool = False  # `text` is words of the target language, not one unbreakable word
    rank: int = 0  # decides between matches that are equally long


def find(text: str, options: TextOptions) -> tuple[list[Match], list[int]]:
    """Find what `options` asks for, in order and without overlap, and the indexes of terms that are nowhere.

    Where matches overlap, the longest wins; of equally long ones a glossary term, the first given.
    """
    terms = glossary.occurrences(options.glossary, text)
    unused = [index for index in range(len(options.glossary)) if index not in terms.held]
    return _longest(chain(_terms(terms, options), _entities(text, options)), len(text)), unused


def term_field(index: int) -> str:
    """Name a glossary term of the request."""
    return f"glossary[{index}]"


def _terms(found: glossary.Occurrences, options: TextOptions) -> Iterator[Iterator[Match]]:
    for ends in found.ends:
        yield (Match(span, options.glossary[i].target, term_field(i), words=True, rank=i) for i, span in ends)


def _entities(text: str, options: TextOptions) -> Iterator[Iterator[Match]]:
    kinds = {
        "input.transfer_urls": (options.urls, entities.urls),
        "input.transfer_emails": (options.emails, entities.emails),
        "input.transfer_placeholders": (options.placeholders, entities.placeholders),
        "input.transfer_numbers": (options.numbers, entities.numbers),
    }
    for rank, (field, (wanted, find)) in enumerate(kinds.items(), len(options.glossary)):
        if wanted:
            for start, end in find(text):
                yield iter((Match((start, end), text[start:end], field, rank=rank),))


def _longest(choices: Iterable[Iterator[Match]], length: int) -> list[Match]:
    """Choose matches that do not overlap, in order of the text; of equally long ones that of the least rank wins.

    Each of `choices` has matches that end at the same place, longest first.
    """
    taken = bytearray(length)
    chosen = []
    waiting = [_entry(match, rest) for rest in choices if (match := next(rest, None))]
    heapify(waiting)
    while waiting:
        *_, match, rest = waiting[0]
        start, end = match.span
        if free := taken.find(1, start, end) < 0:
            taken[start:end] = b"\1" * (end - start)
            chosen.append(match)
        shorter = None if free or taken[end - 1] else next(rest, None)
        if shorter:
            heapreplace(waiting, _entry(shorter, rest))
        else:
            heappop(waiting)
    return sorted(chosen, key=lambda match: match.span)


def _entry(match: Match, rest: Iterator[Match]) -> tuple[int, int, int, Match, Iterator[Match]]:
    start, end = match.span
    return start - end, match.rank, start, match, rest
