"""Tags put around the units of a target that align to what they stood around in the source."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy
from numpy.typing import NDArray

from service.text.line import Line, separation, sums
from service.text.notice import Notice
from service.text.pieces import Span
from service.text.placement import LEAST_WEIGHT, SourceTokens, ahead_of_marks
from service.text.tags import Tag, pairs

FIELD = "input.transfer_tags"
DEEPEST = 50  # pairs inside one another; further in, tags are placed one by one
MARK_SCORE = -0.05  # attention to and from punctuation is noise: it neither joins nor parts words


@dataclass
class Node:
    """Hold a pair of tags around units start … end - 1, or a single tag (`close` is None) before unit start."""

    order: int
    open: Tag
    close: Tag | None = None
    start: int = 0
    end: int = 0
    children: list["Node"] = field(default_factory=list)

    @property
    def glued(self) -> tuple[bool, bool]:
        """Tell on either side whether it touched its neighbour in the source."""
        return self.open.glued[0], (self.close or self.open).glued[1]

    @property
    def is_half(self) -> bool:
        """Tell whether it is a single tag that has a partner elsewhere, or lacks it."""
        return self.close is None and self.open.kind != "empty"


def wrap(line: Line, tags: Sequence[Tag], source: SourceTokens) -> tuple[list[Node], list[Notice]]:
    """Place all tags; a node lies inside or outside of another as in the source, never across.

    A pair takes the run of units that give the most of their weight to what it held in the source: the run with the
    greatest Σ (share inside - 1/2). A single tag stays next to the word that it stood next to. Where nothing aligns,
    a tag divides the target like the source, with the notice `not_transferred`. Opening and closing tags without their
    partners keep their order, so that pairs around several sentences nest, and stay at the start or end if they are.
    """
    nodes = _tree(tags)
    wrapper = _Wrapper(line, source)
    wrapper.place(nodes, 0, len(line.units), (0, len(source.tokens)))
    return nodes, wrapper.notices


def _tree(tags: Sequence[Tag]) -> list[Node]:
    partners = pairs(tags)
    closing = set()
    levels: list[list[Node]] = [[]]
    for index, tag in enumerate(tags):
        if index in closing:
            levels.pop()
            continue
        node = Node(index, tag)
        levels[-1].append(node)
        if index in partners and len(levels) <= DEEPEST:
            node.close = tags[partners[index]]
            closing.add(partners[index])
            levels.append(node.children)
    return levels[0]


class _Wrapper:
    def __init__(self, line: Line, source: SourceTokens) -> None:
        self.notices: list[Notice] = []
        self._line = line
        self._source = source
        self._mass = line.weights @ source.share  # (U, N)
        self._upto = sums(self._mass)
        self._best = self._mass.argmax(axis=1) if source.tokens else numpy.zeros(len(line.units), numpy.int64)
        self._marks = numpy.array([unit.is_mark for unit in line.units], bool)
        self._texts = [unit.text for unit in line.units]
        self._tokens = source.tokens
        self._starts = numpy.array([token.start for token in source.tokens], numpy.int64)
        self._ends = numpy.array([token.end for token in source.tokens], numpy.int64)
        self._source_marks = [token.is_mark for token in source.tokens]

    def place(self, nodes: list[Node], low: int, high: int, around: Span) -> None:
        """Place nodes among units low … high - 1, which stand for the tokens `around`: the first, and one behind."""
        free = numpy.zeros(len(self._texts), bool)
        free[low:high] = True
        gaps = numpy.zeros(len(self._texts) + 1, bool)
        gaps[low : high + 1] = True
        single = []
        for node in nodes:
            inside = self._inside(node)
            holds = inside[0] < inside[1]
            run = self._run(inside, around, free) if holds else None
            if run is None:
                single.append((node, holds))
            else:
                node.start, node.end = run
                free[slice(*run)] = False
                gaps[node.start + 1 : node.end] = False
                self.place(node.children, *run, inside)
        reached = low
        for node, lost in single:  # now that it is known where not to put them
            node.start = node.end = self._gap(node, lost, gaps)
            if node.is_half:
                node.start = node.end = reached = max(reached, node.start)
            _collapse(node)
        nodes.sort(key=lambda node: (node.start, node.end, node.order))

    def _inside(self, node: Node) -> Span:
        """Find the tokens that a pair holds."""
        if not node.close:
            return 0, 0
        first = numpy.searchsorted(self._ends, node.open.position, side="right")
        return int(first), int(numpy.searchsorted(self._starts, node.close.position))

    def _run(self, inside: Span, around: Span, free: NDArray[numpy.bool_]) -> Span | None:
        units = numpy.flatnonzero(free)
        if not units.size:
            return None
        if inside[0] <= around[0] and inside[1] >= around[1] and units[-1] - units[0] + 1 == units.size:
            return int(units[0]), int(units[-1]) + 1
        weight = self._upto[:, inside[1]] - self._upto[:, inside[0]]
        total = self._upto[:, -1]
        score = numpy.divide(weight, total, out=numpy.zeros_like(weight), where=total > 0) - 0.5
        only_marks = all(self._source_marks[slice(*inside)])
        if not only_marks:
            score[self._marks] = MARK_SCORE
        start, end = _greatest_run(numpy.where(free, score, -len(score) - 1.0))
        if start == end:
            weight[~free | (self._marks & (not only_marks))] = 0
            start = int(weight.argmax())
            if weight[start] < LEAST_WEIGHT:
                return None
            end = start + 1
        # A mark at either end belongs to the run if it did in the source.
        first, last = self._tokens[inside[0]].text, self._tokens[inside[1] - 1].text
        if end < len(free) and free[end] and self._marks[end] and self._texts[end] == last:
            end += 1
        if start > 0 and free[start - 1] and self._marks[start - 1] and self._texts[start - 1] == first:
            start -= 1
        # The end of all that is around belongs to the run, too, whatever mark it has become.
        if end == units[-1] and self._marks[end] and inside[0] < around[1] <= inside[1]:
            end += 1
        return start, end

    def _gap(self, node: Node, lost: bool, gaps: NDArray[numpy.bool_]) -> int:
        """Choose the place of a node without units among the allowed ones, (U + 1,)."""
        position = node.open.position
        before, after = (
            int(numpy.searchsorted(self._starts, position)),
            int(numpy.searchsorted(self._ends, position, side="right")),
        )
        if node.is_half and (not before or after == len(self._tokens)):  # all that is here is on its other side
            return int(numpy.flatnonzero(gaps)[-1 if before else 0])
        scores = separation(self._upto[:, before], self._upto[:, -1] - self._upto[:, after])
        scores = numpy.where(gaps, scores, -1.0)
        glued = node.glued if node.glued[0] != node.glued[1] else (True, True)
        near = []
        if glued[0] and before and (unit := self._aligned(before - 1)) is not None:
            near.append(unit + 1)
        if glued[1] and after < len(self._tokens) and (unit := self._aligned(after)) is not None:
            near.append(unit)
        near = [gap for gap in near if gaps[gap]]
        if lost or (not near and self._tokens):
            what = node.open.text + (node.close.text if node.close else "")
            message = f"Nothing in the translation aligns to {what}; it was put where it seemed to belong."
            self.notices.append(Notice("not_transferred", message, FIELD))
        if near:
            return max(near, key=lambda gap: float(scores[gap]))
        gap = ahead_of_marks(self._line, int(scores.argmax()), before, self._source)
        return gap if gaps[gap] else int(scores.argmax())

    def _aligned(self, token: int) -> int | None:
        """Find the unit that a token's translation is."""
        mark = self._tokens[token]
        # Attention to marks is noise, so that they align to their like only.
        alike = numpy.array([text == mark.text for text in self._texts]) if mark.is_mark else ~self._marks
        if not alike.any():
            return None
        column = numpy.where(alike, self._mass[:, token], 0.0)
        favouring = (self._best == token) & (column > 0)
        unit = int(numpy.where(favouring, column + 1, column).argmax())
        return unit if favouring[unit] or column[unit] >= LEAST_WEIGHT else None


def _collapse(node: Node) -> None:
    """Put all that is in a pair where the pair is."""
    for child in node.children:
        child.start = child.end = node.start
        _collapse(child)


def _greatest_run(scores: NDArray[numpy.float64]) -> tuple[int, int]:
    """Find the run with the greatest sum (Kadane); an empty one where no score is above 0."""
    sums = numpy.concatenate([[0.0], scores.cumsum()])
    least = numpy.minimum.accumulate(sums)
    end = int((sums - least).argmax())
    return int(sums[: end + 1].argmin()), end
