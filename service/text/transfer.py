"""What was protected, put back into the translation."""

from dataclasses import dataclass

import numpy

from service.text.line import Line, line
from service.text.links import Weights, share
from service.text.markup import Node, wrap
from service.text.notice import Notice
from service.text.pieces import Pieces
from service.text.placement import SourceTokens, place, stand_ins
from service.text.protect import Protected
from service.text.unknowns import replace_unknowns
from service.text.words import Word, tokens

NONE = -1


@dataclass(frozen=True)
class Restored:
    """Hold a finished translation, with what aligns its words to the original source's.

    `weights` is (words, source_words): the sum over a source word's pieces, the mean over a target word's. A word
    that was put in place of others has theirs; one that nothing aligned to is bound to its source alone.
    """

    text: str
    words: list[Word]
    source_words: list[Word]
    weights: Weights
    notices: list[Notice]


def restore(protected: Protected, source: Pieces, target: Pieces, weights: Weights, unknown_id: int) -> Restored:
    """Put back what `protect` took out.

    `source` holds the pieces of `protected.plain`, or as many of them as the model read; `target` those of the
    translation; `weights` (T, S) the attention. Rows and columns behind their pieces, such as those of an end symbol,
    are not looked at. Where nothing was protected, the text stays exactly `target.text`.
    """
    shape = len(target.ids), len(source.ids)
    weights = weights[: shape[0], : shape[1]] if all(shape) else numpy.zeros(shape, numpy.float32)
    if protected.replace_unknowns:
        target = replace_unknowns(source, target, weights, unknown_id)
    found = tokens(protected.plain, [item.span for item in protected.items])
    source_tokens = SourceTokens(found, share(source, [token.span for token in found]))
    units = line(target, weights, stand_ins(target.text, protected.plain, protected.items))
    units, lost_items = place(units, protected.items, source_tokens)
    nodes, lost_tags = wrap(units, protected.tags, source_tokens)
    writer = _Writer(units)
    writer.write(nodes, 0, len(units.units))
    notices = [*protected.notices, *lost_items, *lost_tags]
    by_word = (units.weights @ share(source, protected.spans))[numpy.array(writer.owners, numpy.int64)]
    return Restored("".join(writer.parts) + units.tail, writer.words, list(protected.words), by_word, notices)


class _Writer:
    """Write units and tags to text, and note where the words are."""

    def __init__(self, line: Line) -> None:
        self.parts: list[str] = []
        self.words: list[Word] = []
        self.owners: list[int] = []  # the unit of each word
        self._line = line
        self._length = 0
        self._gap_written = NONE  # the unit whose gap is there already

    def write(self, nodes: list[Node], low: int, high: int) -> None:
        for node in nodes:
            self._units(low, node.start)
            if node.start == node.end:
                self._single(node, high)
            else:
                self._gap(node.start)
                self._append(node.open.text)
                self.write(node.children, node.start, node.end)
                self._append(node.close.text if node.close else "")
            low = node.end
        self._units(low, high)

    def _units(self, low: int, high: int) -> None:
        for index in range(low, high):
            self._gap(index)
            unit = self._line.units[index]
            for start, end in unit.spans():
                self.words.append(Word(unit.text[start:end], self._length + start, self._length + end))
                self.owners.append(index)
            self._append(unit.text)

    def _single(self, node: Node, high: int) -> None:
        """Write a tag, or a pair around nothing, with spaces where the source had them."""
        left, right = node.glued
        at = node.start
        if not left and self._length:
            if at < high:
                self._gap(at)
            else:
                self._append(" ")
        self._append(_flat(node))
        if at < high:
            unit = self._line.units[at]
            if right and (not left or node.open.breaks):
                self._gap_written = at
            elif not right and (unit.gap or unit.is_mark):
                self._gap_written = NONE
            elif not right:
                self._append(" ")

    def _gap(self, index: int) -> None:
        if index != self._gap_written:
            self._append(self._line.units[index].gap)
            self._gap_written = index

    def _append(self, text: str) -> None:
        self.parts.append(text)
        self._length += len(text)


def _flat(node: Node) -> str:
    return node.open.text + "".join(map(_flat, node.children)) + (node.close.text if node.close else "")
