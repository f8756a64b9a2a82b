"""What is protected from the model."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.entities import emails, numbers, placeholders, urls
from service.text.glossary import GlossaryTerm
from service.text.options import TextOptions
from service.text.pieces import Span
from service.text.protect import cut, protect
from service.text.sentences import Segment, split

EVERYTHING = TextOptions(tags=True, urls=True, emails=True, numbers=True, placeholders=True)


@pytest.mark.parametrize(
    ("find", "text", "expected"),
    [
        (urls, "https://a.b/c?d=1. (http://x.y/(1)) www.d.e!", ["https://a.b/c?d=1", "http://x.y/(1)", "www.d.e"]),
        (urls, 'a "ftp://q/", mailto:a@b.c; http:// www.', ["ftp://q/", "mailto:a@b.c"]),
        (urls, "\u8bf7https://a.b/c\uff0c\u7136\u540e\u3002Voil\u00e0http://d.e/é", ["https://a.b/c", "http://d.e/é"]),
        (urls, "\uff08www.a.b\uff09\u300chttps://c.d\u300d xhttp://e.f", ["www.a.b", "https://c.d"]),
        (emails, "a@b.c, <anna.smith+x@mail.org>. x@y not@ @foo.bar", ["a@b.c", "anna.smith+x@mail.org"]),
        (placeholders, "{name} {0:.2f} {} ${x} {{ a.b }} {not this}", ["{name}", "{0:.2f}", "{}", "${x}", "{{ a.b }}"]),
        (placeholders, "%s,%d %1$s %(name)s %.2f", ["%s", "%d", "%1$s", "%(name)s", "%.2f"]),
        (placeholders, "50% discount, 100%s, %% and %discount", []),
        (numbers, "-3.5 1,250.50, 10:30. 2024-05-12 $5 20%", ["-3.5", "1,250.50", "10:30", "2024-05-12", "5", "20"]),
        (numbers, "B2B 3rd mp3 3.5kg v1.2 COVID-19 3-year", []),
    ],
)  # fmt: skip
def test_entities(find: Callable[[str], Iterator[Span]], text: str, expected: list[str]) -> None:
    """The punctuation around is not part of an entity, and what only resembles one is none."""
    assert [text[start:end] for start, end in find(text)] == expected


def test_each_kind_has_its_own_switch() -> None:
    """What is not asked for stays in the text that the model reads."""
    text = "<b>{x}</b> a@b.c www.d.e 1.5"
    assert protect(text, TextOptions()).plain == text
    assert not protect(text, TextOptions()).needs_alignment
    assert protect(text, TextOptions(tags=True)).plain == "{x} a@b.c www.d.e 1.5"
    assert protect(text, TextOptions(placeholders=True)).plain == "<b>84</b> a@b.c www.d.e 1.5"
    assert protect(text, TextOptions(emails=True)).plain == "<b>{x}</b> 84 www.d.e 1.5"
    assert protect(text, TextOptions(urls=True)).plain == "<b>{x}</b> a@b.c 84 1.5"
    assert protect(text, TextOptions(numbers=True)).plain == "<b>{x}</b> a@b.c www.d.e 84"
    assert protect(text, EVERYTHING).plain == "84 93 61 38"


def test_alignment_is_needed_only_where_something_was_found() -> None:
    """An option that finds nothing costs nothing."""
    assert not protect("Nothing here.", EVERYTHING).needs_alignment
    assert protect("Nothing here.", TextOptions(replace_unknowns=True)).needs_alignment


def test_stand_ins_are_not_in_the_text() -> None:
    """A number of the text is never taken for a stand-in; short ones stand for themselves."""
    protected = protect("84 or 93 of {a}", EVERYTHING)
    assert protected.plain == "84 or 93 of 61"
    assert [item.text for item in protected.items] == ["84", "93", "{a}"]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("{a}{b}{c}", "84 93 61"),
        ("{a}<b>{b}</b>", "84 93"),
        ("{a}, {b}", "84, 93"),
        ("7{a}", "7 84"),
        ("a@b.c{x}", "84 93"),
    ],
)
def test_stand_ins_do_not_touch(text: str, plain: str) -> None:
    """The model is to copy each; what touched in the source is known."""
    protected = protect(text, EVERYTHING)
    assert protected.plain == plain
    assert protected.original == text


def test_longest_match_wins() -> None:
    """A URL keeps its numbers and placeholders; a longer term is preferred wherever it starts."""
    terms = (GlossaryTerm("New York", "A"), GlossaryTerm("York City Council", "B"))
    assert [item.text for item in protect("http://a.b/{id}/2.5", EVERYTHING).items] == ["http://a.b/{id}/2.5"]
    assert [item.text for item in protect("New York City Council", TextOptions(glossary=terms)).items] == ["B"]


@pytest.mark.parametrize(
    ("term", "sensitive", "text", "count"),
    [
        ("sea", True, "The sea, the Sea-View and seas.", 1),
        ("sea", False, "The Sea and the sea", 2),
        ("Apple", True, "Apple's phone", 1),
        ("new  car", True, "a new\ncar", 1),
        ("C++", True, "I like C++, not C", 1),
        ("  ", True, "a  b", 0),
        ("resume", True, "my resume\u0301", 0),  # é of two code points
        ("caf\u00e9", True, "a cafe\u0301 or a caf\u00e9", 2),
        ("cafe\u0301", False, "A CAF\u00c9", 1),
        ("\u0915", True, "\u0915\u093f\u0924\u093e\u092c", 0),  # a letter of a Hindi word
        ("\u05e9", True, "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd", 0),
        ("\u0645\u06cc", True, "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", 0),
        ("bank", True, "bank\u00adkonto", 0),
        ("bankkonto", True, "the bank\u00adkonto", 1),
    ],
)
def test_glossary_matches_whole_words(term: str, sensitive: bool, text: str, count: int) -> None:
    """Case counts unless told otherwise; a term that is nowhere is noted with its field."""
    protected = protect(text, TextOptions(glossary=(GlossaryTerm(term, "X", sensitive),)))
    assert len(protected.items) == count
    assert [(notice.reason, notice.field) for notice in protected.notices] == [("glossary_unused", "glossary[0]")][
        count:
    ]


def test_words_are_those_of_the_original_text() -> None:
    """Entities are one word, tags none, terms the words that they are."""
    text = 'Un<b>believ</b>able: the <i>new car</i> at <a href="x">http://a.b</a>'
    terms = (GlossaryTerm("new car", "X"),)
    protected = protect(text, TextOptions(tags=True, urls=True, glossary=terms))
    assert [word.text for word in protected.words] == ["Un<b>believ</b>able", "the", "new", "car", "at", "http://a.b"]
    assert all(text[word.start : word.end] == word.text for word in protected.words)
    shown = [protected.plain[start:end] for start, end in protected.spans]
    assert shown == ["Unbelievable", "the", "new car", "new car", "at", "84"]


def test_cut_inside_of_an_item() -> None:
    """A stand-in stays whole with the first part; a term that is cut is left to the model, which is noted."""
    urls = protect("ab{x}cd", TextOptions(placeholders=True))
    parts = [part for part, _ in cut(urls, [Segment("ab8", ""), Segment("4cd", "")])]
    assert [part.original for part in parts] == ["ab{x}", "cd"]
    assert [len(part.items) for part in parts] == [1, 0]
    terms = protect("a new car", TextOptions(glossary=(GlossaryTerm("new car", "X"),)))
    parts = [part for part, _ in cut(terms, [Segment("a new", " "), Segment("car", "")])]
    assert [part.original for part in parts] == ["a new", "car"]
    assert [part.items for part in parts] == [(), ()]
    assert [(notice.reason, notice.field) for notice in parts[0].notices] == [("not_transferred", "glossary[0]")]


@given(st.lists(st.sampled_from(["<b>", "</b>", "<br/>", "One", " two.", "\n\n", " {x}", " 1.5", "! "])).map("".join))
def test_cut_parts_hold_everything_once(text: str) -> None:
    """Cut at sentences, no item, tag or word is lost or doubled, and positions fit."""
    protected = protect(text, EVERYTHING)
    cuts = cut(protected, split(protected.plain, "en"))
    parts = [part for part, _ in cuts]
    assert [item.text for part in parts for item in part.items] == [item.text for item in protected.items]
    assert [word for part in parts for word in part.words] == list(protected.words)
    if parts:
        tags = ["".join(tag.text for tag in part.tags) + "".join(separator.split()) for part, separator in cuts]
        assert "".join(tags) == "".join(tag.text for tag in protected.tags)
    for part in parts:
        assert all(0 <= tag.position <= len(part.plain) for tag in part.tags)
        assert all(0 <= start < end <= len(part.plain) for start, end in part.spans)
