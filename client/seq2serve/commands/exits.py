"""How the command ends."""

from __future__ import annotations

from seq2serve.errors import Seq2ServeError

FAILED = 1
USAGE = 2
UNREACHABLE = 69  # EX_UNAVAILABLE of sysexits.h
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
PIPE_CLOSED = 141  # 128 + SIGPIPE

EPILOG = (
    "Exit codes: 0 all went well, 1 something could not be translated or is wrong, 2 wrong usage or a file "
    "that cannot be used, 69 no server answers, 130 interrupted."
)


def described(error: Seq2ServeError) -> str:
    """Return an error's message with what is needed to look it up."""
    request = f", request {error.request_id}" if error.request_id else ""
    return f"{error} ({error.reason}{request})"
