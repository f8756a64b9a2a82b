"""How much of one kind a text may hold."""

MAX_TERM = 200  # characters of a glossary term
MAX_TAGS = 1000  # of one text
MAX_SEGMENTS = 2048  # that one text is split into


class TooMuch(ValueError):
    """Say that a text holds more of something than is looked at."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"has more than {limit} {what}")
        self.what = what
        self.limit = limit
