"""Parts of a text that read the same in every language: URLs, e-mail addresses, placeholders and numbers."""

import re
from collections.abc import Iterator

from service.text.pieces import Span

_URL = re.compile(
    # A letter of another script may stand before it, and punctuation of East Asia ends it.
    r"""(?<![A-Za-z0-9_@])(?:(?:https?|ftps?|file)://|mailto:|www\.)(?=[\w{$%\[])"""
    r"""[^\s<>"'`|\\^\u2018-\u201f\u00ab\u00bb\u3000-\u303f\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f]+""",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"(?<![\w.+%@-])[\w+%-]+(?:\.[\w+%-]+)*@[\w-]+(?:\.[\w-]+)+")
_PLACEHOLDER = re.compile(
    r"\{\{[^{}\n]*\}\}"  # {{ user.name }}
    r"|\$?\{[^{}\s]*\}"  # {name}, {0:.2f}, {}, ${name}
    # %s, %1$s, %(name)s, %-5.2f, never the percent sign of a number
    r"|(?<![\d%])%(?:\(\w+\)|\d+\$)?[#+-]?\d*(?:\.\d+)?(?:hh?|ll?|[Lzjt])?[diouxXeEfFgGcrsap@](?!\w)"
)
_JOINERS = r"[.,:/'\u2019\u2013-]"
# Digits, and what joins digits; not the digits of a word (B2B, 3rd, 5kg), which are matched so as to be passed over.
_NUMBER = re.compile(
    rf"(?:(?<![\w.,:/'\u2019)-])[+\u2212-]|(?<!\w)(?<!\w[-.])(?<!\d{_JOINERS}))"
    rf"\d++(?:{_JOINERS}\d++|[\u00a0\u202f]\d{{3}}(?!\d))*+(?:(?P<whole>(?!\w|[-.,]?[^\W\d]))|)"
)
_CLAUSE_ENDS = frozenset(".,;:!?\u2026")


def urls(text: str) -> Iterator[Span]:
    """Find URLs that start with a scheme or with www., without the punctuation that ends a clause."""
    for match in _URL.finditer(text):
        url = match.group()
        unopened = {closing: url.count(closing) - url.count(opening) for opening, closing in ("()", "[]", "{}")}
        end = len(url)
        while url[end - 1] in _CLAUSE_ENDS or unopened.get(url[end - 1], 0) > 0:
            end -= 1
            if url[end] in unopened:
                unopened[url[end]] -= 1
        yield match.start(), match.start() + end


def emails(text: str) -> Iterator[Span]:
    """Find e-mail addresses."""
    return (match.span() for match in _EMAIL.finditer(text))


def placeholders(text: str) -> Iterator[Span]:
    """Find placeholders of the common template languages: braces, with or without a dollar sign, and printf's."""
    return (match.span() for match in _PLACEHOLDER.finditer(text))


def numbers(text: str) -> Iterator[Span]:
    """Find numbers, with the signs that belong to them: 7, -3.5, 1,250.50, 10:30, 2024-05-12, 555-1234."""
    return (match.span() for match in _NUMBER.finditer(text) if match["whole"] is not None)
