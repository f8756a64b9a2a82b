"""Text that is shown while it is still being made."""

import re
from collections.abc import Callable, Sequence

_UNCERTAIN = re.compile(r"[\s\ufffd]+\Z")  # space that may be stripped, and characters whose bytes are incomplete


class TextStream:
    """Turn a growing list of piece ids into text that is never taken back."""

    def __init__(self, decode: Callable[[Sequence[int]], str], held: frozenset[int] = frozenset()) -> None:
        """Stream what `decode` makes of ids.

        The text of an id in `held`, and all behind it, waits for the end: pass the unknown piece's where unknown
        pieces are replaced.
        """
        self._decode = decode
        self._held = held
        self._shown = ""

    def push(self, ids: Sequence[int]) -> str:
        """Return the new text of all ids that are certain so far, which may be none."""
        end = next((index for index, piece in enumerate(ids) if piece in self._held), len(ids))
        certain = _UNCERTAIN.sub("", self._decode(ids[:end]))
        delta = certain[len(self._shown) :]
        self._shown += delta
        return delta

    def finish(self, text: str) -> str:
        """Return the rest of the final text.

        Raises:
            ValueError: the final text does not start with what was shown.
        """
        if not text.startswith(self._shown):
            raise ValueError(f"the final text {text!r} does not start with {self._shown!r}: push certain ids only")
        delta = text[len(self._shown) :]
        self._shown = text
        return delta
