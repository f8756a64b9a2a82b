"""Serve a model repository: python -m service. Tools: python -m service token, python -m service doctor."""

import asyncio
import sys

from service import token_command
from service.doctor import command as doctor
from service.errors import StartupError
from service.logs import configure_logs
from service.server import Server
from service.settings import Settings, read_settings

# A thread that comes back from ONNX Runtime waits until the edge lets go of the interpreter: by default up to 5 ms, as
# long as a decoder step. With this there are a tenth more sentences a second (measured), with less there are no more.
SWITCH_SECONDS = 0.0002


def main() -> int:
    """Run the server until it is stopped; returns the exit status."""
    if sys.argv[1:2] == ["token"]:
        return token_command.main(sys.argv[2:])
    if sys.argv[1:2] == ["doctor"]:
        return doctor.main(sys.argv[2:])
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
