"""Text and the vocabulary's pieces that it is made of."""

from dataclasses import dataclass

Span = tuple[int, int]  # code points: the first, and the first behind


@dataclass(frozen=True)
class Pieces:
    """Hold a text with the pieces that it was cut into or joined from.

    `spans` has one span per id: the part of `text` that the piece covers, without surrounding spaces. A piece that
    covers spaces only, or nothing, has an empty span.
    """

    text: str
    ids: list[int]
    spans: list[Span]
