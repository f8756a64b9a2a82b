"""What other programs' files say, of which nothing is known: all that does not fit becomes a refusal."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from export.errors import ExportError
from export.foreign.foreign import ImportRefused


@contextlib.contextmanager
def refusing(what: str) -> Iterator[None]:
    """Refuse a file by `what` is wrong with it, whatever reading it raises.

    Raises:
        ImportRefused: something was raised; says what.
    """
    try:
        yield
    except ExportError:
        raise
    except Exception as error:  # what is damaged raises anything, such as zlib.error
        raise ImportRefused(f"{what}: {_told(error)}") from error


def _told(error: Exception) -> str:
    """Say in a line what was wrong."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]  # of an option, or of several together, without a place
        return "".join(f"{name} = {first['input']!r}: " for name in first["loc"]) + first["msg"]
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error).partition("\n")[0] or type(error).__name__


def number(program: str, options: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """Return an option that is a number of units or layers.

    Raises:
        ImportRefused: it is missing, or no such number; names it.
    """
    value = options.get(name, default)
    if type(value) is not int or value < 1:
        raise ImportRefused(f"{program}'s {name} = {value!r} must be a whole number of at least 1")
    return value


def require(program: str, options: Mapping[str, Any], covered: Mapping[str, tuple[Any, ...]]) -> None:
    """Refuse options with other values than the covered ones; one that is missing has its first.

    Raises:
        ImportRefused: names the option, its value, and what is covered; or these are no options.
    """
    if not isinstance(options, Mapping):
        raise ImportRefused(f"{program}'s options are {options!r}, not names with values")
    for name, values in covered.items():
        value = options.get(name, values[0])
        if value not in values:
            expected = " or ".join(map(repr, values))
            raise ImportRefused(f"{program}'s {name} = {value!r} is not covered, only {expected}")


def require_one_cutter(models: Mapping[str, str | None]) -> None:
    """Refuse a SentencePiece model for each language, by the names of the options that give them.

    Raises:
        ImportRefused: the options name two.
    """
    given = {name: model for name, model in models.items() if model}
    if len(set(given.values())) > 1:
        named = " and ".join(f"{name} = {model!r}" for name, model in given.items())
        raise ImportRefused(f"{named} is not covered, only one SentencePiece model for both languages")
