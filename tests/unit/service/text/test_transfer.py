"""What was protected is put back where it aligns, and never lost."""

import re
from collections import Counter

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.glossary import GlossaryTerm
from service.text.links import Weights, hard
from service.text.options import TextOptions
from service.text.pieces import Pieces
from service.text.protect import protect
from service.text.transfer import Restored, restore
from service.text.words import tokens, words

UNKNOWN = 1
EVERYTHING = TextOptions(tags=True, urls=True, emails=True, numbers=True, placeholders=True)


def cut(text: str) -> Pieces:
    """Cut a text into words and marks; the mark of the unknown piece has spaces of its own."""
    found = tokens(text)
    return Pieces(text, [UNKNOWN if t.text == "⁇" else 5 for t in found], [t.span for t in found])


def aligned(source: int, links: list[int]) -> Weights:
    """Give each target piece 0.8 of its attention to one source piece."""
    return numpy.array([[0.8 * (s == link) + 0.2 / source for s in range(source)] for link in links], numpy.float32)


def transfer(text: str, options: TextOptions, target: str, links: list[int]) -> Restored:
    """Translate by hand: the target, and the index of the source token that each of its tokens attends to."""
    protected = protect(text, options)
    source = cut(protected.plain)
    return restore(protected, source, cut(target), aligned(len(source.ids), links), UNKNOWN)


@pytest.mark.parametrize(
    ("text", "target", "links", "expected"),
    [
        ("a <b>red car</b> here", "hier ein rotes Auto", [3, 0, 1, 2], "hier ein <b>rotes Auto</b>"),
        ("I <b>have</b> seen", "Ich sah", [0, 2], "Ich <b></b> sah"),
        ("<b>Go <i>home</i>!</b> Now", "Jetzt geh heim!", [3, 0, 1, 2], "Jetzt <b>geh <i>heim</i>!</b>"),
        ("One.<br/>Two.", "Eins. Zwei.", [0, 1, 2, 3], "Eins.<br/>Zwei."),
        ("Note<ref/> this <img/> here", "Dies hier merken", [1, 2, 0], "Dies <img/> hier merken<ref/>"),
        ("<b>one</b> <i>two</i> men", "Zwillinge da", [0, 2], "<b>Zwillinge</b> <i></i> da"),
        ("<b>a <i>c</b> d</i>", "A C D", [0, 1, 2], "<b>A <i>C</b> D</i>"),
        ("<p>One.</p>", "Eins!", [0, 0], "<p>Eins!</p>"),
        ("<b>Often I <i>sleep", "Ich schlafe oft", [1, 2, 0], "<b>Ich <i>schlafe oft"),
        ("Now</i> go home</b>", "Heim geh jetzt", [2, 1, 0], "Heim geh jetzt</i></b>"),
        ("Now <i>go <b>home", "Heim geh jetzt", [2, 1, 0], "Heim <i><b>geh jetzt"),
    ],
)
def test_tags(text: str, target: str, links: list[int], expected: str) -> None:
    """Pairs wrap the words that theirs became; single tags stay beside their neighbour's, halves in order."""
    assert transfer(text, TextOptions(tags=True), target, links).text == expected


@pytest.mark.parametrize(
    ("text", "target", "links", "expected"),
    [
        ("See www.a.b now", "Jetzt 84 sehen", [2, 1, 0], "Jetzt www.a.b sehen"),
        ("See www.a.b now", "Jetzt 84 sehen", [2, 0, 1], "Jetzt www.a.b sehen"),  # reading beats attention
        ("See www.a.b now", "Jetzt Dings da sehen", [2, 1, 1, 0], "Jetzt www.a.b sehen"),
        ("%s gave %d", "84 gab 84 93", [0, 1, 0, 2], "%s gab %d"),  # said twice, kept once
        ("{a} to {b}", "84 an 95", [0, 1, 2], "{a} an {b}"),
        ("{a}{b} gone", "weg 84 93", [2, 0, 1], "weg {a}{b}"),  # they touch again
        ("{a}{b} gone", "93 weg 84", [1, 2, 0], "{b} weg {a}"),
        ("{a}<b>{b}</b>", "84 93", [0, 1], "{a}<b>{b}</b>"),
        ("3 of 3 men", "drei von 3 Leuten", [0, 1, 2, 3], "3 von 3 Leuten"),
    ],
)
def test_entities(text: str, target: str, links: list[int], expected: str) -> None:
    """An entity comes in place of what aligns to its stand-in, exactly once."""
    found = transfer(text, EVERYTHING, target, links)
    assert found.text == expected
    assert not found.notices


@pytest.mark.parametrize(
    ("text", "target", "links", "expected", "field"),
    [
        ("I saw www.a.b there.", "Ich sah es.", [0, 1, 1, 4], "Ich sah es www.a.b.", "input.transfer_urls"),
        ("{x} slept", "schlief", [1], "{x} schlief", "input.transfer_placeholders"),
        ("{x} {y}", "", [], "{x} {y}", "input.transfer_placeholders"),
        ("{x}{y}", "", [], "{x}{y}", "input.transfer_placeholders"),
        ("{x}{y}{z} slept", "schlief 93", [3, 1], "schlief {x}{y}{z}", "input.transfer_placeholders"),
    ],
)
def test_dropped_entity_is_put_somewhere(text: str, target: str, links: list[int], expected: str, field: str) -> None:
    """What the model dropped goes where it divides the text like the source, and is noted."""
    found = transfer(text, EVERYTHING, target, links)
    assert found.text == expected
    assert {(notice.reason, notice.field) for notice in found.notices} == {("not_transferred", field)}


def test_glossary() -> None:
    """A term's translation comes in place of the words that align to it, as words of its own."""
    options = TextOptions(glossary=(GlossaryTerm("train station", "Haupt Bahnhof"), GlossaryTerm("bus", "Omnibus")))
    found = transfer("the old train station", options, "der alte Zug Halt", [0, 1, 2, 3])
    assert found.text == "der alte Haupt Bahnhof"
    assert [notice.field for notice in found.notices] == ["glossary[1]"]
    assert [word.text for word in found.words] == ["der", "alte", "Haupt", "Bahnhof"]
    assert [(link.source, link.target) for link in hard(found.weights)] == [(0, 0), (1, 1), (2, 2), (2, 3)]


def test_glossary_term_that_was_dropped() -> None:
    """The model's own words are kept where nothing aligns to the term."""
    options = TextOptions(glossary=(GlossaryTerm("really", "echt"),))
    protected = protect("I really do", options)
    weights = numpy.array([[1, 0, 0], [0, 0, 1]], numpy.float32)
    found = restore(protected, cut("I really do"), cut("Ich tue"), weights, UNKNOWN)
    assert found.text == "Ich tue"
    assert [(notice.reason, notice.field) for notice in found.notices] == [("not_transferred", "glossary[0]")]


@pytest.mark.parametrize(
    ("source", "target", "links", "expected"),
    [
        ("in Xyz now", "in  ⁇  jetzt", [0, 1, 2], "in Xyz jetzt"),
        ("in Xyz .", "in  ⁇ .", [0, 1, 2], "in Xyz."),
        ("Xyz is", " ⁇   ⁇  ist", [0, 0, 1], "Xyz ist"),
        ("no", "Ja", [0], "Ja"),
    ],
)
def test_unknowns(source: str, target: str, links: list[int], expected: str) -> None:
    """An unknown piece becomes the source word that it attends to most, once."""
    assert transfer(source, TextOptions(replace_unknowns=True), target, links).text == expected


def test_unknown_part_of_a_word() -> None:
    """Inside a word only the part that the vocabulary does not know is filled in."""
    source = Pieces("Dvořák", [5, UNKNOWN, 6], [(0, 3), (3, 4), (4, 6)])
    target = Pieces("Dvo ⁇ ák", [5, UNKNOWN, 6], [(0, 3), (4, 5), (6, 8)])
    protected = protect(source.text, TextOptions(replace_unknowns=True))
    assert restore(protected, source, target, aligned(3, [0, 1, 2]), UNKNOWN).text == "Dvořák"


@given(st.text(), st.text(), st.integers(0, 99))
def test_nothing_protected_nothing_changed(text: str, target: str, seed: int) -> None:
    """Without options the target stays as it is, and its words are the text's."""
    source, pieces = cut(text), cut(target)
    found = restore(protect(text, TextOptions()), source, pieces, _random(source, pieces, seed), UNKNOWN)
    assert found.text == target
    assert not found.notices
    _check(found, text)


PARTS = ["<b>", "</b>", "<i>", "</i>", "<br/>", "{x}", "http://a.b", "a@b.c", "1.5", "7", "word", "two", ".", " ", " "]


@given(
    st.lists(st.sampled_from(PARTS), max_size=25).map(" ".join), st.text("ab84397. ", max_size=20), st.integers(0, 99)
)
def test_nothing_is_lost(text: str, target: str, seed: int) -> None:
    """Whatever the model says and attends to, each tag and entity is in the result as often as in the source."""
    protected = protect(text, EVERYTHING)
    source, pieces = cut(protected.plain), cut(target)
    found = restore(protected, source, pieces, _random(source, pieces, seed), UNKNOWN)
    for part in ("<b>", "</b>", "<i>", "</i>", "<br/>", "{x}", "http://a.b", "a@b.c"):
        assert found.text.count(part) == text.count(part)
    assert Counter(re.findall(r"1\.5|7", text)) <= Counter(re.findall(r"1\.5|7", found.text))
    _check(found, text)


def _trees(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(st.sampled_from("abc"), st.lists(inner, max_size=4)).map(
        lambda pair: f"<{pair[0]}>{' '.join(pair[1])}</{pair[0]}>"
    )


@given(
    st.lists(st.recursive(st.sampled_from(["one", "two", ".", "<br/>"]), _trees, max_leaves=8), max_size=4).map(
        " ".join
    ),
    st.text("xyz. ", max_size=16),
    st.integers(0, 99),
)
def test_nesting_stays_well_formed(text: str, target: str, seed: int) -> None:
    """From well-formed markup comes well-formed markup with the same words between."""
    protected = protect(text, TextOptions(tags=True))
    source, pieces = cut(protected.plain), cut(target)
    found = restore(protected, source, pieces, _random(source, pieces, seed), UNKNOWN)
    opened: list[str] = []
    for close, name, empty in re.findall(r"<(/?)(\w+)(/?)>", found.text):
        if close:
            assert opened.pop() == name
        elif not empty:
            opened.append(name)
    assert not opened
    assert "".join(re.sub(r"<[^>]*>", "", found.text).split()) == "".join(target.split())
    assert [word.text for word in found.words] == [word.text for word in words(target)]
    _check(found, text)


def test_deep_nesting_is_no_danger() -> None:
    """Hundreds of pairs inside one another neither fail nor get lost."""
    text = "<b>" * 500 + "x" + "</b>" * 500
    assert transfer(text, TextOptions(tags=True), "y", [0]).text.count("b>") == 1000


def _random(source: Pieces, target: Pieces, seed: int) -> Weights:
    drawn = numpy.random.default_rng(seed).random((len(target.ids), len(source.ids)))
    return (drawn / drawn.sum(axis=1, keepdims=True)).astype(numpy.float32)


def _check(found: Restored, text: str) -> None:
    """Offsets are true, and there is a weight for every pair of words."""
    assert all(found.text[word.start : word.end] == word.text for word in found.words)
    assert all(text[word.start : word.end] == word.text for word in found.source_words)
    assert found.weights.shape == (len(found.words), len(found.source_words))
    assert found.weights.size == 0 or found.weights.max() <= 1 + 1e-5
