"""Unknown pieces are replaced by the source words, or the unknown parts of them, that they attend to."""

import numpy
from hypothesis import given
from hypothesis import strategies as st

from service.text.pieces import Pieces
from service.text.unknowns import replace_unknowns
from service.text.words import tokens

KNOWN, UNKNOWN = 5, 1
WORDS = st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=5)


@given(WORDS, st.integers(1, 12), st.data())
def test_unknown_part_that_is_attended_to_most(words: list[str], count: int, data: st.DataObject) -> None:
    """Inside a word comes the unknown part of the source word, or all of the word where it has none."""
    text = " ".join(words)
    spans = [(at, at + 1) for at, character in enumerate(text) if character != " "]
    known = data.draw(st.lists(st.sampled_from([KNOWN, UNKNOWN]), min_size=len(spans), max_size=len(spans)))
    source = Pieces(text, known, spans)
    # x ⁇ x  x ⁇ x …: an unknown piece has spaces of its own, so each of these is a word with one inside
    target = Pieces(
        "  ".join(["x ⁇ x"] * count),
        [KNOWN, UNKNOWN, KNOWN] * count,
        [(7 * word + at, 7 * word + at + 1) for word in range(count) for at in (0, 2, 4)],
    )
    seed = data.draw(st.integers(0, 99))
    weights = numpy.random.default_rng(seed).integers(0, 4, (3 * count, len(spans))).astype(numpy.float32)
    wanted = []
    for row in weights[1::3].tolist():
        sums = [
            (sum(w for w, (start, _) in zip(row, spans, strict=True) if word.start <= start < word.end), word)
            for word in tokens(text)
        ]
        _, word = max(sums, key=lambda pair: pair[0])
        parts = [
            (w, text[start])
            for w, (start, _), id_ in zip(row, spans, known, strict=True)
            if id_ == UNKNOWN and word.start <= start < word.end
        ]
        wanted.append(f"x{max(parts, key=lambda pair: pair[0])[1] if parts else word.text}x")
    assert replace_unknowns(source, target, weights, UNKNOWN).text == "  ".join(wanted)
