"""Something to know about a transfer that did not go as asked."""

from typing import NamedTuple


class Notice(NamedTuple):
    """Name a cause in one lower-case word, explain it in a sentence and point at the request's field."""

    reason: str
    message: str
    field: str = ""
