"""`python -m service doctor`: look at everything, say what to fix."""

import logging
from collections.abc import Iterator, Sequence

from seq2serve.doctor.finding import Finding, Level, report
from service.doctor.machine import check_machine
from service.doctor.models import check_models
from service.doctor.runtime import Runtime, check_runtime
from service.errors import StartupError
from service.settings import read_settings


def main(arguments: Sequence[str]) -> int:
    """Print what was found, a line each; returns the exit status: 1 where something is wrong."""
    logging.disable(logging.ERROR)  # what is logged is found, too
    return 1 if report(examine(list(arguments))) else 0


def examine(arguments: list[str]) -> Iterator[Finding]:
    """Check what a server with these flags would need."""
    try:
        settings = read_settings(arguments)
    except StartupError as error:
        yield Finding(Level.FAULT, "settings", str(error), "python -m service --help lists what is allowed")
        return
    given = ", ".join(sorted(settings.model_fields_set)) or "all as they are by default"
    yield Finding(Level.OK, "settings", given)
    yield from check_machine(settings)
    yield from check_runtime(Runtime.read(), settings.device)
    yield from check_models(settings)
