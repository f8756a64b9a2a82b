"""Commands that Ctrl-C ends even where whoever runs the tests ignores it, as a shell has its background jobs do."""

import sys

# A child inherits that SIGINT is ignored; Python then installs no handler of its own.
_RUN = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
)


def interruptible(module: str, *arguments: str) -> list[str]:
    """Return the command that does what `python -m MODULE` does in a terminal."""
    return [sys.executable, "-c", _RUN.format(module=module), *arguments]
