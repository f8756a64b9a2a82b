"""Streamed text is never taken back."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.text.stream import TextStream
from service.vocabulary import Vocabulary


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=st.lists(st.one_of(st.integers(0, 7999), st.sampled_from([0, 1, 2, 3, 26])), max_size=20), data=st.data())
def test_deltas_make_the_final_text(vocabulary: Vocabulary, ids: list[int], data: st.DataObject) -> None:
    """Whatever the ids and however they arrive, what was shown starts the text, and all of it is the text."""
    stream, shown = TextStream(vocabulary.decode), ""
    for end in sorted(data.draw(st.lists(st.integers(0, len(ids)), max_size=8))):
        shown += stream.push(ids[:end])
        assert vocabulary.decode(ids).startswith(shown)
        assert vocabulary.decode(ids[:end]).rstrip() == shown
    assert shown + stream.finish(vocabulary.decode(ids)) == vocabulary.decode(ids)


@given(text=st.text(), cuts=st.lists(st.integers(0, 200)))
def test_incomplete_characters_wait(text: str, cuts: list[int]) -> None:
    """With one piece per byte, no replacement character is shown for a character that is not all there."""
    data = text.encode()
    stream, shown = TextStream(lambda ids: bytes(ids).decode(errors="replace")), ""
    for cut in sorted(cuts):
        shown += stream.push(list(data[:cut]))
        assert text.startswith(shown)
    assert shown + stream.finish(text) == text


def test_held_pieces_wait_for_the_end() -> None:
    """Text from an unknown piece on may still be replaced."""
    stream = TextStream(lambda ids: " ".join(map(str, ids)), held=frozenset([1]))
    assert stream.push([5, 6]) == "5 6"
    assert stream.push([5, 6, 1, 7]) == ""
    assert stream.finish("5 6 x 7") == " x 7"


def test_final_text_that_contradicts_is_refused() -> None:
    """A caller that pushed uncertain ids is told so."""
    stream = TextStream(str)
    stream.push([5])
    with pytest.raises(ValueError, match="push certain ids only"):
        stream.finish("6")
