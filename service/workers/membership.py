"""A server that is one of several: which one it is, and how it ends when nobody watches over it any more."""

import ctypes
import os
import re
import signal
import sys

from service.errors import StartupError

VARIABLE = "SEQ2SERVE_WORKER"  # NUMBER:PID, from a supervisor to its workers alone; no setting
PR_SET_PDEATHSIG = 1  # prctl(2)


def invitation(number: int) -> dict[str, str]:
    """Return the environment that makes a process a worker of this one."""
    return {**os.environ, VARIABLE: f"{number}:{os.getpid()}"}


def join_supervisor() -> int | None:
    """Return the number of this worker, or none where no supervisor has started it.

    From then on the worker gets SIGTERM when its supervisor dies, however it does (on Linux; elsewhere it stays).

    Raises:
        StartupError: the supervisor is gone already, or the variable was set by somebody else.
    """
    found = os.environ.pop(VARIABLE, None)
    if found is None:
        return None
    parts = re.fullmatch(r"(\d+):(\d+)", found)
    if parts is None:
        raise StartupError(f"{VARIABLE}={found} is no setting: --workers N sets it for its workers; unset it")
    number, supervisor = int(parts[1]), int(parts[2])
    if sys.platform == "linux":
        if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0):
            raise StartupError("prctl(PR_SET_PDEATHSIG) is refused here, and workers would outlive their supervisor")
    if os.getppid() != supervisor:  # it died before it could be asked for a signal
        raise StartupError(f"{VARIABLE}={found}: process {supervisor} did not start this one, or it is gone")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while it loads ends it without a traceback from each
    return number
