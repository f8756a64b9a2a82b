"""What a message may ask for at most."""

from dataclasses import dataclass

from service.errors import InvalidRequest


@dataclass(frozen=True)
class EdgeLimits:
    """Bound what a message may ask for."""

    max_text_bytes: int
    max_batch_items: int
    max_glossary_terms: int
    places: int  # hypotheses that one call may have in line or running at a time


def check_size(name: str, text: str, limits: EdgeLimits, error: type[InvalidRequest] = InvalidRequest) -> None:
    """Refuse a text that is too long to be looked at.

    Raises:
        InvalidRequest, or the given one: it is above the limit in bytes.
    """
    size, limit = len(text.encode()), limits.max_text_bytes
    if size > limit:
        raise error.field(name, f"has {size} bytes, the limit is {limit}", length=str(size), limit=str(limit))
