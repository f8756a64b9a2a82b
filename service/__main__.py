"""Serve a model repository: python -m service. Beside that: python -m service token, compose and doctor."""

import asyncio
import logging
import sys
from importlib import import_module

from service.cpu import take_turns
from service.errors import StartupError
from service.logs import configure_logs
from service.settings import Settings, read_settings
from service.workers.command import supervise
from service.workers.membership import join_supervisor

log = logging.getLogger("service")
# Loaded by name, as is the server: who watches over workers, or makes a token, need not wait for ONNX Runtime.
COMMANDS = {"compose": "service.compose_command", "doctor": "service.doctor.command", "token": "service.token_command"}


def main() -> int:
    """Run the server until it is stopped; returns the exit status."""
    if command := COMMANDS.get("".join(sys.argv[1:2])):
        return int(import_module(command).main(sys.argv[2:]))
    worker = None
    refused = take_turns()  # before there are other threads, and processes of workers
    try:
        worker = join_supervisor()
        settings = read_settings(sys.argv[1:])
        configure_logs(settings.log_format, settings.log_level, worker)
        if refused:
            log.warning("messages interrupt the steps of the engine: the system refuses SCHED_BATCH (%s)", refused)
        if settings.workers > 1:
            return asyncio.run(supervise(settings, sys.argv[1:]))
        return _serve(settings, worker)
    except StartupError as error:
        print(f"error: {'' if worker is None else f'worker {worker}: '}{error}", file=sys.stderr)
        return 1


def _serve(settings: Settings, worker: int | None) -> int:
    import uvloop

    from service.server import Server

    async def serve() -> int:
        return await Server(settings, worker).run()

    return uvloop.run(serve())


if __name__ == "__main__":
    sys.exit(main())
