"""Characters by Unicode's general categories, for regular expressions."""

import unicodedata
from functools import cache

LAST = 0x20000  # planes above have neither punctuation nor marks but variation selectors: looking there takes time


@cache
def of_category(category: str) -> frozenset[str]:
    """Return the characters of a category by its first letter: P are punctuation, M combining marks."""
    return frozenset(_all_of()[category])


@cache
def _all_of() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for point in range(LAST):
        found.setdefault(unicodedata.category(chr(point))[0], []).append(chr(point))
    return found
