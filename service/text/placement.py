"""Items put into a target at the place that their stand-ins align to."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy
from numpy.typing import NDArray

from service.text.line import NO_ITEM, Line, Unit, separation, sums
from service.text.links import Weights
from service.text.notice import Notice
from service.text.pieces import Span
from service.text.protect import Item
from service.text.words import Word

LEAST_WEIGHT = 0.15  # below it a unit is not taken for the translation of a token that no unit favours
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class SourceTokens:
    """Hold the N tokens of the plain source, and the share of each of its S pieces in each, (S, N)."""

    tokens: list[Word]
    share: Weights


def stand_ins(text: str, plain: str, items: Sequence[Item]) -> list[Span]:
    """Find in a target the numbers that stand for `items` in the source `plain`."""
    wanted = {plain[slice(*item.span)] for item in items if not item.words}
    return [match.span() for match in _DIGITS.finditer(text) if match.group() in wanted]


def place(line: Line, items: Sequence[Item], source: SourceTokens) -> tuple[Line, list[Notice]]:
    """Put each item in place of the units that align to its stand-in, exactly once; those that touched touch again.

    A unit aligns to the source token that it gives the greatest weight, and a unit that reads like the stand-in is
    believed even where the attention is elsewhere. An item that nothing aligns to goes where it divides the target
    like the source, except for a glossary term, whose translation by the model is left alone; both get the notice
    `not_transferred`.
    """
    if not items:
        return line, []
    numbers = {token.span: number for number, token in enumerate(source.tokens)}
    columns = [numbers[item.span] for item in items]
    owners = _owners(line, items, columns, source)
    stand_ins = {source.tokens[column].text for item, column in zip(items, columns, strict=True) if not item.in_place}
    units: list[Unit] = []
    weights: list[Weights] = []
    for index, unit in enumerate(line.units):
        owner = owners[index]
        if owner == NO_ITEM:
            if unit.text not in stand_ins:  # else the model said it twice
                units.append(unit)
                weights.append(line.weights[index])
        elif index == 0 or owners[index - 1] != owner:
            units.append(Unit(items[owner].text, unit.gap, items[owner].words, int(owner)))
            weights.append(line.weights[owners == owner].mean(axis=0))
    placed = Line(units, numpy.array(weights, numpy.float32).reshape(len(units), len(source.share)), line.tail)
    dropped = [index for index in range(len(items)) if index not in owners]
    placed = _insert(placed, items, [index for index in dropped if not items[index].words], columns, source)
    return replace(placed, units=_touching(placed.units, items)), [_notice(items[index]) for index in dropped]


def _owners(line: Line, items: Sequence[Item], columns: Sequence[int], source: SourceTokens) -> NDArray[numpy.int64]:
    """Tell which item each unit gives way to, (U,)."""
    owners = numpy.full(len(line.units), NO_ITEM)
    if not line.units:
        return owners
    mass = line.weights @ source.share
    marks = numpy.array([unit.is_mark for unit in line.units])
    aligned = numpy.where((mass.max(axis=1) > 0) & ~marks, mass.argmax(axis=1), NO_ITEM)
    reads = numpy.array([[unit.text == source.tokens[column].text for unit in line.units] for column in columns])
    # A unit that reads like another item's stand-in is left to that one.
    aligns = (aligned[None] == numpy.array(columns)[:, None]) & ~reads.any(axis=0)
    score = numpy.where(reads | aligns, mass[:, columns].T + reads, 0.0)
    found: set[int] = set()
    for flat in numpy.argsort(-score, axis=None, kind="stable").tolist():
        item, unit = divmod(flat, len(line.units))
        if item not in found and owners[unit] == NO_ITEM and score[item, unit] > 0:
            owners[unit] = item
            found.add(item)
    for item, column in enumerate(columns):
        taken = numpy.flatnonzero(owners == item)
        if not taken.size and items[item].words:
            weight = numpy.where((owners == NO_ITEM) & ~marks, mass[:, column], 0.0)
            if weight.max() >= LEAST_WEIGHT:
                owners[weight.argmax()] = item
        elif taken.size and not reads[item, taken[0]]:
            _extend(owners, item, int(taken[0]), aligns[item], marks)
    return owners


def _extend(
    owners: NDArray[numpy.int64], item: int, start: int, aligns: NDArray[numpy.bool_], marks: NDArray[numpy.bool_]
) -> None:
    """Give an item the units on both sides of `start` that align to it too, with single marks between them."""
    free = owners == NO_ITEM
    for step in (-1, 1):
        end = start
        for unit in range(start + step, -1 if step < 0 else len(owners), step):
            if not free[unit] or not (aligns[unit] or (marks[unit] and unit - step == end)):
                break
            if aligns[unit]:
                end = unit
        owners[min(start, end) : max(start, end) + 1] = item


def _insert(
    line: Line, items: Sequence[Item], dropped: Sequence[int], columns: Sequence[int], source: SourceTokens
) -> Line:
    """Put the items `dropped` beside those that they touched, or where they divide the units like the source."""
    upto = sums(line.weights @ source.share)
    starts = {unit.item: at for at, unit in enumerate(line.units) if unit.item != NO_ITEM}
    ends = {item: at + 1 for item, at in starts.items()}
    for index in dropped:
        column = columns[index]
        if items[index].joined and index - 1 in ends:
            at = ends[index - 1]
        elif index + 1 in starts and items[index + 1].joined:
            at = starts[index + 1]
        else:
            at = int(separation(upto[:, column], upto[:, -1] - upto[:, column + 1]).argmax())
            at = ahead_of_marks(line, at, column + 1, source)
        ends[index] = at
    units = list(line.units)
    weights = list(line.weights)
    # From the back, so that earlier places stay where they are; at the same place the later item is put in first.
    for index in sorted(dropped, key=lambda index: (ends[index], index), reverse=True):
        item, at, only = items[index], ends[index], source.share[:, columns[index]]
        if at < len(units) and not units[at].gap and not units[at].is_mark:
            units[at] = replace(units[at], gap=" ")
        units.insert(at, Unit(item.text, " " if at else "", item.words, index))
        weights.insert(at, only / max(float(only.sum()), 1.0))
    return Line(units, numpy.array(weights, numpy.float32).reshape(len(units), len(source.share)), line.tail)


def _touching(units: Sequence[Unit], items: Sequence[Item]) -> list[Unit]:
    """Close the gaps between items that touched in the source."""
    before = NO_ITEM
    closed = []
    for unit in units:
        joined = unit.item != NO_ITEM and items[unit.item].joined and before == unit.item - 1
        closed.append(replace(unit, gap="") if joined else unit)
        before = unit.item
    return closed


def ahead_of_marks(line: Line, place: int, following: int, source: SourceTokens) -> int:
    """Step back from behind the final marks of a target, unless nothing followed in the source either."""
    if place == len(line.units) and following < len(source.tokens):
        while place and line.units[place - 1].is_mark:
            place -= 1
    return place


def _notice(item: Item) -> Notice:
    done = "the model's own words were kept" if item.words else "it was put where it seemed to belong"
    return Notice("not_transferred", f"Nothing in the translation aligns to {item.text!r}; {done}.", item.field)
