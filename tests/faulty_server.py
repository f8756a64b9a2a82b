"""The server with a fault of its own: a text that holds FAULT makes it fail with an error that quotes the text."""

import sys
from typing import Any

from service import translation
from service.__main__ import main
from tests.fault import FAULT

_read_parts = translation.read_parts


def _failing(message: Any, *arguments: Any) -> Any:
    if FAULT in message.text:
        raise KeyError(message.text)
    return _read_parts(message, *arguments)


if __name__ == "__main__":
    translation.read_parts = _failing
    sys.exit(main())
