"""Terms are found in one pass as they are one by one."""

import re

from hypothesis import given
from hypothesis import strategies as st

from service.text.glossary import GlossaryTerm
from service.text.matches import find
from service.text.options import TextOptions
from service.text.pieces import Span

ALPHABET = "aabB-' \n+_é"

terms = st.lists(
    st.builds(GlossaryTerm, st.text(ALPHABET, min_size=1, max_size=6), st.just("X"), st.booleans()), max_size=8
)


def one_by_one(terms: list[GlossaryTerm], text: str) -> list[tuple[int, Span]]:
    """Find each term at each place with a regex."""
    found = []
    for index, term in enumerate(terms):
        pattern = r"\s+".join(re.escape(part) for part in term.source.split())
        case = re.NOFLAG if term.case_sensitive else re.IGNORECASE
        if pattern:
            whole = re.compile(rf"(?<!\w)(?<!\w-)(?<!\s(?=\s)){pattern}(?!-?\w)", case)
            found += [(index, match.span()) for at in range(len(text)) if (match := whole.match(text, at))]
    return found


def longest(found: list[tuple[int, Span]]) -> list[tuple[int, Span]]:
    """Take the longest first, then the term that was given first, then the first place."""
    chosen: list[tuple[int, Span]] = []
    for index, (start, end) in sorted(found, key=lambda match: (match[1][0] - match[1][1], match[0], match[1])):
        if all(end <= taken[0] or taken[1] <= start for _, taken in chosen):
            chosen.append((index, (start, end)))
    return sorted(chosen, key=lambda match: match[1])


@given(terms, st.text(ALPHABET, max_size=30))
def test_all_terms_are_found_in_one_pass(terms: list[GlossaryTerm], text: str) -> None:
    """The matches are those of a regex per term, and the terms that are nowhere as well."""
    every = one_by_one(terms, text)
    matches, unused = find(text, TextOptions(glossary=tuple(terms)))
    assert [(match.rank, match.span) for match in matches] == longest(every)
    assert unused == sorted(set(range(len(terms))) - {index for index, _ in every})


def test_of_terms_that_read_the_same_the_first_counts() -> None:
    """Both are in the text."""
    same = (GlossaryTerm("car", "A"), GlossaryTerm("Car", "B", False), GlossaryTerm("car", "C"))
    matches, unused = find("a car", TextOptions(glossary=same))
    assert [match.text for match in matches] == ["A"]
    assert unused == []
