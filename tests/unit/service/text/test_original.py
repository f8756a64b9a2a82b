"""The source can be told from what was made of it, whole, in parts and cut short."""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from service.text.glossary import GlossaryTerm
from service.text.options import TextOptions
from service.text.protect import Protected, cut, protect, truncate
from service.text.sentences import Segment, fit, split

ATOMS = [
    "<b>", "</b>", "<i>", "</i>", "<br/>", "<p>", "</p>", "<a b='<'>", "<", ">", "{x}", "{y}", "%s", "{", "http://a.b",
    "www.a.b/c", "a@b.c", "@", "1.5", "7", "84", "1,250", "One", "two", "new", "car", "new car", "car two", "-", "'s",
    ".", "!", ",", ";", " ", " ", " ", "\n", "\n\n", "\u00a0", "\u3000", "é", "中", "。",
]  # fmt: skip
TERMS = (
    GlossaryTerm("new car", "Neuwagen"),
    GlossaryTerm("car two", "X Y"),
    GlossaryTerm("one", "eins", False),
    GlossaryTerm("new", "neu"),
    GlossaryTerm("7", "sieben"),
    GlossaryTerm("two. One", "Z"),
)

texts = st.lists(st.one_of(st.sampled_from(ATOMS), st.text(max_size=2)), max_size=25).map("".join)
switches = st.builds(
    TextOptions,
    *(st.booleans() for _ in range(6)),
    st.lists(st.sampled_from(TERMS), unique=True, max_size=4).map(tuple),
)


@given(texts, switches)
def test_original_is_the_source(text: str, options: TextOptions) -> None:
    """Nothing is lost that was taken out, and nothing stays that was put in."""
    assert protect(text, options).original == text


@given(texts, switches)
def test_plain_of_items_is_apart(text: str, options: TextOptions) -> None:
    """Items are in order, do not overlap, and no stand-in touches that of another."""
    items = protect(text, options).items
    for before, item in pairwise(items):
        assert before.span[1] <= item.span[0]
        assert before.span[1] < item.span[0] or before.in_place or item.in_place or not item.joined


@given(texts, switches, st.integers(1, 9))
def test_parts_are_the_source(text: str, options: TextOptions, limit: int) -> None:
    """What stands in the parts, and between them, is the source."""
    protected = protect(text, options)
    segments = [part for segment in split(protected.plain, "en") for part in fit(segment, limit * 8, len)]
    parts = cut(protected, segments)
    if parts and sum(len(part.items) for part, _ in parts) == len(protected.items):
        assert "".join(part.original + separator for part, separator in parts) == text
    for (part, _), segment in zip(parts, segments, strict=True):
        assert segment.text.endswith(part.plain)  # without the end of a stand-in that was cut
        check(part)


@given(texts, switches)
def test_one_part_is_the_whole(text: str, options: TextOptions) -> None:
    """Where nothing is cut, nothing changes."""
    protected = protect(text, options)
    assert cut(protected, [Segment(protected.plain, "")]) == [(protected, "")]


@given(texts, switches, st.integers(-1, 60))
@example("new car{x}One", TextOptions(placeholders=True, glossary=(GlossaryTerm("one", "eins", False),)), 11)
def test_truncated_is_the_start(text: str, options: TextOptions, end: int) -> None:
    """What lies before the end is kept, and no item beyond it; more is cut the second time round only at less."""
    protected = protect(text, options)
    kept = truncate(protected, end)
    assert protected.plain.startswith(kept.plain)
    assert len(kept.plain) <= max(end, 0) or kept == protected
    assert list(kept.items) == [item for item in protected.items if item.span[1] <= len(kept.plain)]
    assert kept.words == protected.words[: len(kept.words)]
    assert kept.notices == protected.notices
    assert truncate(kept, end) == kept
    assert truncate(protected, len(protected.plain)) == protected
    check(kept)
    if not kept.tags:
        assert text.startswith(kept.original.rstrip())


def test_truncated_markup_is_closed() -> None:
    """A tag that is open at the end is closed there; one behind the end is left out."""
    protected = protect("<b>one <i>two</i> {x}</b> <br/>four", TextOptions(tags=True, placeholders=True))
    assert truncate(protected, 7).original == "<b>one <i>two</i></b>"
    assert truncate(protected, 5).original == "<b>one <i>t</i></b>"
    assert truncate(protected, 4).original == "<b>one </b>"
    assert truncate(protected, 9).original == "<b>one <i>two</i> </b>"
    assert truncate(protected, 0).original == ""


def check(protected: Protected) -> None:
    """All positions are inside, and in order."""
    length = len(protected.plain)
    places = [tag.position for tag in protected.tags]
    assert places == sorted(places)
    assert all(0 <= place <= length for place in places)
    assert all(0 <= item.span[0] < item.span[1] <= length for item in protected.items)
    assert all(0 <= start < end <= length for start, end in protected.spans)
    assert len(protected.words) == len(protected.spans)
