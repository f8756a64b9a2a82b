"""Terms whose translation is given."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from service.text.characters import of_category
from service.text.pieces import Span

_SHY = "\u00ad"
# What changes a letter is a part of its word, as are joiners and soft hyphens inside of one.
_WITHIN = re.escape("".join(sorted(of_category("M"))) + "\u200c\u200d" + _SHY)
_PARTS = re.compile(rf"(?:\w[{_WITHIN}]*)+|\s+|[^\w\s]")
_ALIKE = str.maketrans("İı", "ii")  # the letters that fold to no other, though they are alike to any regex
_ROOT = 0


@dataclass(frozen=True)
class GlossaryTerm:
    """Give the translation of one source term."""

    source: str
    target: str
    case_sensitive: bool = True


@dataclass(frozen=True)
class Occurrences:
    """Hold, for each place in a text where terms end, the index and the span of those that do, longest first.

    What is not asked for takes no time: twenty terms may end at the same place. `held` has all terms that occur.
    """

    ends: list[Iterator[tuple[int, Span]]]
    held: frozenset[int]


def occurrences(terms: Sequence[GlossaryTerm], text: str) -> Occurrences:
    """Find terms where they stand as whole words; spaces inside them match any whitespace.

    A part of a hyphenated word is no whole word; the stem of a possessive is: "Apple" is in "Apple's", not in
    "Apple-like". Where terms read the same, the first is given. One pass over the text finds all (Aho and Corasick,
    1975).
    """
    ends: list[Iterator[tuple[int, Span]]] = []
    held: set[int] = set()
    matches = list(_PARTS.finditer(text)) if terms else []
    spans = [match.span() for match in matches]
    shown = [match.group() for match in matches]
    for sensitive in {term.case_sensitive for term in terms}:
        parts = [_fold(part, sensitive) for part in shown]
        known = frozenset(parts)
        wanted = (
            (index, [_fold(part, sensitive) for part in _PARTS.findall(term.source.strip())])
            for index, term in enumerate(terms)
            if term.case_sensitive == sensitive
        )
        finder = _Finder((index, term) for index, term in wanted if term and known.issuperset(term))
        ends += finder.find(parts, spans, shown)
        held |= finder.held()
    return Occurrences(ends, frozenset(held))


class _Finder:
    """Read a text once and tell at each of its parts which terms end there.

    A node stands for the first parts of a term, and node 0 for none.
    """

    def __init__(self, terms: Iterable[tuple[int, list[str]]]) -> None:
        self._edges: dict[tuple[int, str], int] = {}
        self._shorter = [_ROOT]  # the node of the longest end of a node's parts that is the start of a term
        self._ending = [_ROOT]  # the nearest such node that is a whole term
        self._terms: dict[int, list[int]] = {}  # by node: the indexes of the terms that it is
        self._lengths: dict[int, int] = {}  # by node: the number of their parts
        self._met: set[int] = set()  # nodes that were found
        self._all_met: set[int] = set()  # nodes that were found, and all terms that they end in
        waiting = [(index, parts, _ROOT) for index, parts in terms]
        depth = 0
        while waiting:  # a level after the other: the nodes above tell how a node goes on
            following = []
            for index, parts, node in waiting:
                child = self._edges.get((node, parts[depth]))
                if child is None:
                    shorter = self._step(self._shorter[node], parts[depth]) if node else _ROOT
                    child = self._edges[node, parts[depth]] = len(self._shorter)
                    self._shorter.append(shorter)
                    self._ending.append(shorter if shorter in self._terms else self._ending[shorter])
                if depth + 1 < len(parts):
                    following.append((index, parts, child))
                else:
                    self._terms.setdefault(child, []).append(index)
                    self._lengths[child] = len(parts)
            waiting = following
            depth += 1

    def find(
        self, parts: Sequence[str], spans: Sequence[Span], shown: Sequence[str]
    ) -> Iterator[Iterator[tuple[int, Span]]]:
        """Yield the terms that end at each part of a text, `shown`, that was folded to `parts`."""
        starts = [not _joined(shown, at - 1, -1) for at in range(len(shown))]
        node = _ROOT
        for last, part in enumerate(parts):
            node = self._step(node, part)
            longest = node if node in self._terms else self._ending[node]
            if longest and not _joined(shown, last + 1, 1):
                self._meet(longest, last, starts)
                yield self._ends(longest, last, spans, starts)

    def held(self) -> set[int]:
        """Return the indexes of the terms that were found."""
        return {index for node in self._met for index in self._terms[node]}

    def _meet(self, node: int, last: int, starts: Sequence[bool]) -> None:
        passed = []
        while node and node not in self._all_met:
            if starts[last + 1 - self._lengths[node]]:
                self._met.add(node)
            passed.append(node)
            node = self._ending[node]
        for node in reversed(passed):
            if node not in self._met:
                break
            self._all_met.add(node)

    def _ends(self, node: int, last: int, spans: Sequence[Span], starts: Sequence[bool]) -> Iterator[tuple[int, Span]]:
        while node:
            first = last + 1 - self._lengths[node]
            if starts[first]:
                yield self._terms[node][0], (spans[first][0], spans[last][1])
            node = self._ending[node]

    def _step(self, node: int, part: str) -> int:
        while (child := self._edges.get((node, part))) is None and node:
            node = self._shorter[node]
        return child or _ROOT


def _joined(parts: Sequence[str], at: int, step: int) -> bool:
    """Tell whether a word stands at `at`, or further on in the direction of `step` behind a hyphen."""
    if step > 0:
        at += at < len(parts) and parts[at] == "-"
    elif at >= 0 and parts[at] == "-":
        at -= 1
    return 0 <= at < len(parts) and _is_word(parts[at])


def _is_word(part: str) -> bool:
    return part[0].isalnum() or part[0] == "_"


def _fold(part: str, sensitive: bool) -> str:
    """Make parts equal that are to match, letter by letter; so is all whitespace."""
    if part.isspace():
        return " "
    if not part.isascii():
        part = unicodedata.normalize("NFC", part.replace(_SHY, ""))
    if sensitive:
        return part
    part = part.translate(_ALIKE)
    folded = part.casefold()
    return folded if len(folded) == len(part) else "".join(map(_fold_letter, part))


def _fold_letter(letter: str) -> str:
    return next((folded for folded in (letter.casefold(), letter.lower()) if len(folded) == 1), letter)
