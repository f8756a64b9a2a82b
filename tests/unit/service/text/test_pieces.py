"""Pieces know where they are in the text."""

from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.vocabulary import Vocabulary

shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@shared
@given(text=st.text())
def test_encoding_gives_the_same_ids(vocabulary: Vocabulary, text: str) -> None:
    """Spans are in order, inside the text, and without space around them."""
    pieces = vocabulary.encode_spans(text)
    assert (pieces.text, pieces.ids) == (text, vocabulary.encode(text))
    _check(pieces.text, pieces.spans, len(pieces.ids))


@shared
@given(ids=st.lists(st.integers(0, 7999), max_size=30))
def test_decoding_gives_the_same_text(vocabulary: Vocabulary, ids: list[int]) -> None:
    """Ids that no text encodes to are no exception."""
    pieces = vocabulary.decode_spans(ids)
    assert (pieces.text, pieces.ids) == (vocabulary.decode(ids), ids)
    _check(pieces.text, pieces.spans, len(ids))


def _check(text: str, spans: list[tuple[int, int]], count: int) -> None:
    assert len(spans) == count
    assert all(0 <= start <= end <= len(text) for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert all(text[start:end] == text[start:end].strip() for start, end in spans)


def test_offsets_are_code_points_of_the_text_as_given(vocabulary: Vocabulary) -> None:
    """Normalization changes the pieces, never what the offsets count."""
    text = "  Grüße ﬁne ½😀"
    pieces = vocabulary.encode_spans(text)
    shown = [text[start:end] for start, end in pieces.spans]
    assert "".join(shown) == "Grüßeﬁne½😀"
    assert "ﬁne" in shown
    assert "½" in shown


def test_pieces_that_cover_nothing_have_empty_spans(vocabulary: Vocabulary) -> None:
    """The unknown piece's own spaces are left out as well."""
    unknown = vocabulary.unknown_id
    pieces = vocabulary.decode_spans([*vocabulary.encode("Tom"), unknown, *vocabulary.ids(["▁"]), unknown])
    assert pieces.text == "Tom ⁇   ⁇ "
    assert pieces.spans == [(0, 3), (4, 5), (7, 7), (8, 9)]
