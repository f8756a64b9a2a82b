"""Long texts are split without losing a character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.sentences import Segment, fit, split

layouts = st.text(st.one_of(st.sampled_from("ab .!?;,\n\r\t。"), st.characters(codec="utf-8")))


def joined(segments: list[Segment]) -> str:
    """Put segments together again."""
    return "".join(segment.text + segment.separator for segment in segments)


@given(layouts, st.sampled_from(["en", "de", "de-CH", "zh-Hant", "xx", ""]))
def test_segments_joined_are_the_text(text: str, language: str) -> None:
    """Layout is kept exactly; no sentence has space around it or a line end in it."""
    segments = split(text, language)
    assert joined(segments) == text
    assert all(segment.text == segment.text.strip() for segment in segments)
    assert all(len(segment.text.splitlines()) <= 1 for segment in segments)
    assert all(segment.text for segment in segments[1:])


def test_sentences() -> None:
    """Abbreviations do not end a sentence; empty lines and indents stay."""
    assert split("\n Dr. Smith left.  He ran!\n\n\nWhy?\r\n", "en") == [
        Segment("", "\n "),
        Segment("Dr. Smith left.", "  "),
        Segment("He ran!", "\n\n\n"),
        Segment("Why?", "\r\n"),
    ]


@given(layouts, st.integers(1, 20))
def test_parts_fit(text: str, limit: int) -> None:
    """Every part is within the limit, and the parts joined are the sentence."""
    parts = fit(Segment(text.strip(), "\n"), limit, len)
    assert joined(parts) == text.strip() + "\n"
    assert all(len(part.text) <= limit for part in parts)
    assert all(part.text == part.text.strip() for part in parts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He came, he saw; he won the day", ["He came, he saw;", "he won the day"]),
        ("He came and saw, and won it all", ["He came and saw,", "and won it all"]),
        ("He came and then he won the day", ["He came and then", "he won the day"]),
        ("Donaudampfschifffahrtskapitän", ["Donaudampfschi", "fffahrtskapitän"]),
    ],
)
def test_best_place_is_taken(text: str, expected: list[str]) -> None:
    """A semicolon is better than a comma, a comma than a space, a space than the inside of a word."""
    assert [part.text for part in fit(Segment(text, ""), 20, len)] == expected


def test_single_character_is_not_cut() -> None:
    """What cannot be made shorter is left to the caller's limit."""
    assert fit(Segment("ab", ""), 0, len) == [Segment("a", ""), Segment("b", "")]
