"""Unknown pieces of a target, replaced by what they attend to."""

import numpy
from numpy.typing import NDArray

from service.text.links import Weights, share
from service.text.pieces import Pieces, Span
from service.text.words import Word, tokens

Indexes = NDArray[numpy.int64]

SURFACE = "⁇"  # SentencePiece decodes the unknown piece to this, with a space of its own on either side


def replace_unknowns(source: Pieces, target: Pieces, weights: Weights, unknown_id: int) -> Pieces:
    """Replace each unknown piece of the target by the source word that it attends to most in (T, S).

    One inside a word ("Dvo⁇ák") gets the unknown part of that source word only ("ř"), where it has one.
    """
    whole = tokens(source.text)
    if unknown_id not in target.ids or not whole:
        return target
    belongs = share(source, [token.span for token in whole])
    attended = (weights @ belongs).argmax(axis=1).tolist()  # the word of each target piece
    parts = _unknown_parts(source, whole, belongs.argmax(axis=1).tolist(), unknown_id)
    shown = [index for index, (start, end) in enumerate(target.spans) if start < end]
    unknown = [target.ids[index] == unknown_id for index in shown]
    gaps = _gaps(target, shown, unknown)
    text = ""
    spans = [(0, 0)] * len(target.ids)
    before: Word | None = None  # what the piece before was replaced by
    for number, index in enumerate(shown):
        piece, gap, word = target.text[slice(*target.spans[index])], gaps[number], None
        if unknown[number]:
            word = whole[attended[index]]
            if word == before:  # said once is enough, however often the model stammers
                piece = gap = ""
            elif word in parts and _inside(target, shown, gaps, number):
                candidates = parts[word]
                piece = source.text[slice(*source.spans[candidates[weights[index, candidates].argmax()]])]
                word = None
            else:
                piece = word.text
        text += gap
        spans[index] = (len(text), len(text) + len(piece))
        text += piece
        before = word
    return Pieces(text + gaps[-1], target.ids, spans)


def _unknown_parts(source: Pieces, whole: list[Word], owners: list[int], unknown_id: int) -> dict[Word, Indexes]:
    """List, by word, the unknown source pieces that are part of it; `owners` has the word of each piece."""
    parts: dict[Word, list[int]] = {}
    for index, (id_, span, owner) in enumerate(zip(source.ids, source.spans, owners, strict=True)):
        if id_ == unknown_id and _within(span, whole[owner].span):
            parts.setdefault(whole[owner], []).append(index)
    return {word: numpy.array(indexes) for word, indexes in parts.items()}


def _inside(target: Pieces, shown: list[int], gaps: list[str], number: int) -> bool:
    """Tell whether a piece is part of a word with the one before or behind it."""
    neighbours = [
        shown[at]
        for at, gap in ((number - 1, number), (number + 1, number + 1))
        if 0 <= at < len(shown) and not gaps[gap]
    ]
    return any(not tokens(target.text[slice(*target.spans[index])])[0].is_mark for index in neighbours)


def _gaps(target: Pieces, shown: list[int], unknown: list[bool]) -> list[str]:
    """List the space before each shown piece and behind the last, without the unknown pieces' own."""
    starts = [target.spans[index][0] for index in shown] + [len(target.text)]
    ends = [0] + [target.spans[index][1] for index in shown]
    own = [before + behind for before, behind in zip([False, *unknown], [*unknown, False], strict=True)]
    return [target.text[end + spaces : start] for end, start, spaces in zip(ends, starts, own, strict=True)]


def _within(piece: Span, word: Span) -> bool:
    return word[0] <= piece[0] < piece[1] <= word[1]
