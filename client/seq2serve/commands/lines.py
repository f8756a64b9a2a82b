"""Lines in, many requests at once, results out in the order of the lines."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

from seq2serve.pending import Pending

_Result = TypeVar("_Result")

# The server refuses far shorter texts; this only keeps a file without line ends out of memory.
MAX_LINE_BYTES = 1 << 20

# How many lines may be read and not yet printed, per request in flight: room for the fast ones to
# overtake a slow one, and all the memory that an endless input takes.
_LOOKAHEAD = 8


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the input, from 1; `problem` says why it cannot be sent."""

    number: int
    text: str
    problem: str = ""

    @property
    def blank(self) -> bool:
        """Whether there is nothing to translate in it."""
        return not self.text.strip()


def read_lines(source: BinaryIO) -> Iterator[Line]:
    """Read lines as soon as they are there, each decoded by itself; close the source at its end.

    Only a newline ends a line, as for `wc` and `paste`: Unicode's other line ends stay in the text.
    """
    number = 0
    with source:
        while raw := source.readline(MAX_LINE_BYTES):
            number += 1
            if len(raw) == MAX_LINE_BYTES and not raw.endswith(b"\n"):
                while raw and not raw.endswith(b"\n"):
                    raw = source.readline(MAX_LINE_BYTES)
                yield Line(number, "", f"longer than {MAX_LINE_BYTES:,} bytes")
                continue
            try:
                yield Line(number, raw.decode().rstrip("\r\n"))
            except UnicodeDecodeError as error:
                yield Line(number, "", f"not UTF-8 at byte {error.start + 1}")


def in_order(
    lines: Iterable[Line], submit: Callable[[Line], Pending[_Result]], in_flight: int
) -> Iterator[tuple[Line, Pending[_Result] | None]]:
    """Yield every line with its request, in order, with at most `in_flight` requests unanswered.

    Lines that are blank or have a problem get no request. Reading goes on in a thread of its own,
    so that a result is yielded while the next line is still being typed.
    """
    slots = threading.Semaphore(in_flight)
    results: queue.Queue[tuple[Line, Pending[_Result] | None] | Exception | None] = queue.Queue(
        maxsize=in_flight * _LOOKAHEAD
    )

    def send() -> None:
        try:
            for line in lines:
                pending = None
                if not line.problem and not line.blank:
                    slots.acquire()
                    pending = submit(line)
                    pending.add_done_callback(slots.release)
                results.put((line, pending))
        except Exception as error:
            results.put(error)
        else:
            results.put(None)

    # A daemon, because nothing can wake a thread that waits for standard input.
    threading.Thread(target=send, name="seq2serve-lines", daemon=True).start()
    while (item := results.get()) is not None:
        if isinstance(item, Exception):
            raise item
        yield item
