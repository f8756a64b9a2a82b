"""Words are what whitespace and punctuation separate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.words import tokens, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't go to Sea-View!", ["Don't", "go", "to", "Sea-View"]),
        ("It costs 1,250.50 at 10:30.", ["It", "costs", "1,250.50", "at", "10:30"]),
        ("The U.S. and z.B. Köln", ["The", "U.S.", "and", "z.B.", "Köln"]),
        ("'rock 'n' roll'...", ["rock", "n", "roll"]),
        ("a--b (c_d) 5€ ☃", ["a", "b", "c_d", "5€", "☃"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("¿Qué? …", ["Qué"]),
        (" \n", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    """Joiners stay inside a word, quotes and full stops do not."""
    assert [word.text for word in words(text)] == expected


@given(st.text())
def test_tokens_cover_all_but_whitespace(text: str) -> None:
    """Tokens are in order, read as the text does where they are, and leave out nothing but space."""
    found = tokens(text)
    assert all(text[token.start : token.end] == token.text for token in found)
    assert "".join(token.text for token in found) == "".join(text.split())
    assert words(text) == [token for token in found if not token.is_mark]


def test_whole_spans_are_one_word() -> None:
    """What is protected is not cut, whatever it is made of."""
    assert [word.text for word in words("see http://a.b/c, {x}.", [(4, 16), (18, 21)])] == [
        "see",
        "http://a.b/c",
        "{x}",
    ]
