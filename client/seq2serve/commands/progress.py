"""The progress bar and the messages beside it, on standard error."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self, TextIO


class Progress:
    """Counts lines on a terminal; without a bar it only passes messages on.

    Args:
        show: Draw a bar. Where tqdm is missing that is said once.
        total: Number of lines, or None when it is not known.
    """

    def __init__(self, *, show: bool, total: int | None = None) -> None:
        self._bar: Any = _open_bar(total) if show else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self) -> None:
        """Count one line."""
        if self._bar is not None:
            self._bar.update()

    def write(self, text: str, stream: TextIO) -> None:
        """Print a line; on a terminal the bar makes room for it."""
        if self._bar is not None and stream.isatty():
            self._bar.write(text, file=stream)
        else:
            print(text, file=stream)
        # Whoever reads along gets each line when it is done.
        stream.flush()


def _open_bar(total: int | None) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        print("seq2serve: pip install 'seq2serve[cli]' shows a progress bar here", file=sys.stderr)
        return None
    return tqdm(total=total, unit=" lines", file=sys.stderr, dynamic_ncols=True)
