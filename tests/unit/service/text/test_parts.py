"""Sentences of a text with tags, translated one by one: what stands between them is that of the source."""

import re

import numpy
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.text.options import TextOptions
from service.text.protect import cut, protect
from service.text.sentences import split
from service.text.transfer import restore
from tests.unit.service.text.test_transfer import UNKNOWN, aligned
from tests.unit.service.text.test_transfer import cut as pieces

TAGS = TextOptions(tags=True)


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("Good morning. <br/>", ["Good morning."]),
        ("Good morning.\n<br/>", ["Good morning."]),
        ("Good morning.\n<br/>\nIt is late.", ["Good morning.", "It is late."]),
        ("Good morning. <br/> It is late.", ["Good morning.", "It is late."]),
        ("<b>Good morning. </b> It is late.", ["<b>Good morning.", "It is late."]),
        ("<p>Good morning.</p>\n<p>It is late.</p>\n", ["<p>Good morning.</p>", "<p>It is late.</p>"]),
        ("Good morning.<br/>It is late.", ["Good morning.<br/>", "It is late."]),
        ("<br/><br/>\n<br/> Good morning.", ["", "Good morning."]),
        ("<p> <b>Good morning. It is late.</b>\n</p>\t<hr/>", ["", "<b>Good morning.", "It is late.</b>"]),
    ],
)
def test_copy_is_the_source(text: str, sources: list[str]) -> None:
    """Where every sentence stays as it is, so does the text, down to each space."""
    protected = protect(text, TAGS)
    parts = cut(protected, split(protected.plain, "en"))
    assert [part.original for part, _ in parts] == sources
    copied = ""
    for part, separator in parts:
        same = pieces(part.plain)
        weights = aligned(len(same.ids), list(range(len(same.ids))))
        copied += restore(part, same, same, weights, UNKNOWN).text + separator
    assert copied == text


spaces = st.sampled_from(["", "", " ", "\n", "\n\n\t"])
leaves = st.sampled_from(["one two.", "three. Four", "<i>five</i> six", "seven", "<br/>", ""])


def _trees(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(st.sampled_from("abc"), st.lists(st.tuples(spaces, inner, spaces).map("".join), max_size=4)).map(
        lambda pair: f"<{pair[0]}>{''.join(pair[1])}</{pair[0]}>"
    )


@given(
    st.lists(st.tuples(st.recursive(leaves, _trees, max_leaves=12), spaces).map("".join), max_size=4).map("".join),
    st.text("xyz. ", max_size=16).map(str.strip),
    st.integers(0, 99),
)
@example("One <a>two <b>three. Four</b> five</a> six.", "x y z.", 5)
def test_pairs_around_several_sentences_nest(text: str, target: str, seed: int) -> None:
    """Whatever the translations, well-formed markup stays so, and no sentence gets space around it."""
    protected = protect(text, TAGS)
    translated = ""
    for part, separator in cut(protected, split(protected.plain, "en")):
        source, said = pieces(part.plain), pieces(target if part.plain else "")
        weights = numpy.random.default_rng(seed).random((len(said.ids), len(source.ids)), numpy.float32)
        found = restore(part, source, said, weights, UNKNOWN).text
        assert found == found.strip()
        translated += found + separator
    opened: list[str] = []
    for close, name, empty in re.findall(r"<(/?)(\w+)(/?)>", translated):
        if close:
            assert opened.pop() == name
        elif not empty:
            opened.append(name)
    assert not opened
