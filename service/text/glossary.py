"""Terms whose translation is given."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from service.text.pieces import Span


@dataclass(frozen=True)
class GlossaryTerm:
    """Give the translation of one source term."""

    source: str
    target: str
    case_sensitive: bool = True


def occurrences(term: GlossaryTerm, text: str) -> Iterator[Span]:
    """Find a term where it stands as whole words; spaces inside it match any whitespace.

    A part of a hyphenated word is no whole word; the stem of a possessive is: "Apple" is in "Apple's", not in
    "Apple-like".
    """
    pattern = r"\s+".join(re.escape(part) for part in term.source.split())
    if pattern:
        flags = re.NOFLAG if term.case_sensitive else re.IGNORECASE
        for match in re.finditer(rf"(?<!\w)(?<!\w-){pattern}(?!-?\w)", text, flags):
            yield match.span()
