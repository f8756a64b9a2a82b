"""The server in a sandbox that lets nobody choose how threads are scheduled."""

import errno
import os
import sys
from typing import Any

from service.__main__ import main


def _refuse(*_: Any) -> None:
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


if __name__ == "__main__":
    os.sched_setscheduler = _refuse
    sys.exit(main())
