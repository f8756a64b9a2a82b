"""How long a replica that was killed is away."""

import time

from seq2serve import Client
from tests.compose_stack import ComposeStack
from tests.e2e.counts import handled
from tests.e2e.load import Load
from tests.eventually import eventually

MOST_SECONDS = 60


def seconds_until_back(stack: ComposeStack) -> tuple[float, int, int]:
    """Kill a replica's process under load, and wait until the process that takes its place has answered a call.

    Returns the seconds that took, and how many calls were answered and failed meanwhile.

    Raises:
        RuntimeError: it did not come back.
    """
    killed = stack.ids()[1]
    process = stack.inspect(killed)["State"]["Pid"]

    def back() -> bool:
        if stack.inspect(killed)["State"]["Pid"] in (0, process):
            return False
        try:
            return handled(stack).get(killed, 0) > 0
        except OSError:  # it does not listen yet
            return False

    with Client(stack.address, timeout=60) as client, Load(client.translate) as load:
        load.more(100)
        started = time.monotonic()
        stack.run("kill", "-9", str(process))
        if not eventually(back, MOST_SECONDS):
            raise RuntimeError(f"{killed[:12]} did not come back within {MOST_SECONDS} s")
        seconds = time.monotonic() - started
        load.more(100)
    return seconds, load.answered, len(load.failures)
