"""The version of this package."""

from importlib import metadata


def version() -> str:
    """Return the installed version, or `0` in a checkout that was not installed."""
    try:
        return metadata.version("seq2serve")
    except metadata.PackageNotFoundError:
        return "0"
