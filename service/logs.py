"""Logs: one line an event on stderr, for people or for machines."""

import logging
import sys
import traceback

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger


def configure_logs(form: str, level: str, worker: int | None = None) -> None:
    """Send all log records to stderr as `form` (auto, console or json), from `level` up, with a worker's number."""
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    stamp = structlog.processors.MaybeTimeStamper(fmt="iso", utc=True)  # lines that were kept for a while have theirs
    # Plain: where rich happens to be installed, tracebacks would show local variables, and in them texts and tokens.
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    rendering: list[Processor] = [] if worker is None else [_with_number(worker)]
    rendering += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()] if as_json else [console]
    # The access log has a line for each call, so it goes past the standard library's records.
    structlog.configure(
        processors=[structlog.processors.add_log_level, stamp, *rendering],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, stamp],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())


def _with_number(worker: int) -> Processor:
    """Tell the lines of several servers on one stderr apart."""

    def add(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
        return {**event, "worker": worker}

    return add


def trail(error: BaseException) -> str:
    """Return the kind of an error and where it came from, without its message, which may quote a text."""
    return f"{type(error).__name__}, raised at\n{''.join(traceback.format_tb(error.__traceback__))}"
