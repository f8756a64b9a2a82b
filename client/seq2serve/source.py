"""What can be translated: text, or pieces of the model's vocabulary."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar


@dataclass(frozen=True, slots=True)
class Tokens:
    """Text that is already cut into the model's pieces, such as `Tokens(["▁Good", "▁day"])`.

    A class of its own, and not a plain list, so that a list of texts is never taken for pieces.
    """

    pieces: Sequence[str]

    def __post_init__(self) -> None:
        if isinstance(self.pieces, str):
            raise TypeError(f"pieces={self.pieces!r}: a list of pieces is needed, not one string")


Source: TypeAlias = str | Tokens
"""One thing to translate."""

Item: TypeAlias = Source | tuple[str, Source]
"""One of many things to translate, alone or as (request id, source)."""

_Items = TypeVar("_Items", Iterable[Item], Iterable[Item] | AsyncIterable[Item])


def many(items: _Items) -> _Items:
    """Return the items, unless they are one text: its letters would be translated one by one."""
    if isinstance(items, str | Tokens):
        raise TypeError(f"{items!r} is one text: many are asked for, such as a list")
    return items


def named(item: Item) -> tuple[str, Source]:
    """Return an item's request id, empty when it has none, and its source."""
    if not isinstance(item, tuple):
        return "", item
    if len(item) != 2:
        raise TypeError(f"{item!r} is not (request id, source)")
    return item
