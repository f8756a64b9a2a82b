"""Tags are taken out and paired."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.tags import pairs, strip


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("a <b>red</b> car", "a red car"),
        ('<a href="x > y" target=_blank>b</a>', "b"),
        ("un<i>believ</i>able", "unbelievable"),
        ("One.<br/>Two.</p><p class='c'>Three.", "One. Two. Three."),
        ("3 < 5 and 6 > 4 <3 </> <!-- no -->", "3 < 5 and 6 > 4 <3 </> <!-- no -->"),
    ],
)
def test_strip(text: str, bare: str) -> None:
    """Only what is a tag goes; a line break does not run words together."""
    assert strip(text).text == bare


@given(st.lists(st.sampled_from(["<b>", "</b>", "<br/>", "word", " ", "<", ">"])).map("".join))
def test_origin_tells_where_characters_were(text: str) -> None:
    """Every character is found again; spaces that were put in are where their tag was."""
    bare = strip(text)
    assert len(bare.origin) == len(bare.text)
    assert bare.origin == sorted(bare.origin)
    assert all(text[at] == sign or text[at] == "<" for at, sign in zip(bare.origin, bare.text, strict=True))


def test_glue() -> None:
    """A tag knows on which side it touched a character, other tags not counted."""
    tags = strip("a<x/> <b><i>c</i></b> <y/> ").tags
    assert [tag.glued for tag in tags] == [
        (True, False), (False, True), (False, True), (True, False), (True, False), (False, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<a><b></b></a>", {0: 3, 1: 2}),
        ("<b><b></b></b>", {0: 3, 1: 2}),
        ("<b><i></b></i>", {0: 2}),
        ("</b><b><br></B>", {1: 3}),
        ("<b/></b>", {}),
    ],
)
def test_pairs(text: str, expected: dict[int, int]) -> None:
    """Crossing, unopened and void tags have no partner."""
    assert pairs(strip(text).tags) == expected
