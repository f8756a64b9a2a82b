"""Serve a model repository: python -m service. Beside that: python -m service token, compose and doctor."""

import asyncio
import sys

from service import compose_command, token_command
from service.doctor import command as doctor
from service.errors import StartupError
from service.logs import configure_logs
from service.server import Server
from service.settings import Settings, read_settings

COMMANDS = {"compose": compose_command.main, "doctor": doctor.main, "token": token_command.main}

# A thread that comes back from ONNX Runtime waits until the edge lets go of the interpreter: by default up to 5 ms, as
# long as a decoder step. With this there are a tenth more sentences a second (measured), with less there are no more.
SWITCH_SECONDS = 0.0002


def main() -> int:
    """Run the server until it is stopped; returns the exit status."""
    if command := COMMANDS.get("".join(sys.argv[1:2])):
        return command(sys.argv[2:])
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        settings = read_settings(sys.argv[1:])
        configure_logs(settings.log_format, settings.log_level)
        return asyncio.run(_serve(settings))
    except StartupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


async def _serve(settings: Settings) -> int:
    return await Server(settings).run()


if __name__ == "__main__":
    sys.exit(main())
