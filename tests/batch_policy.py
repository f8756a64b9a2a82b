"""Whether threads can be told to take turns here; a sandbox may refuse it, and other systems have no such thing."""

import os
import threading

import pytest


def _missing() -> str:
    """Say why not; tried in a thread of its own, which nobody else comes to be scheduled like."""
    if not hasattr(os, "SCHED_BATCH"):
        return "Linux alone has SCHED_BATCH"
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        return f"these tests run under another policy already, {os.sched_getscheduler(0)}"
    found = [""]

    def attempt() -> None:
        try:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        except OSError as error:
            found.append(f"the system refuses SCHED_BATCH: {error}")

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return found[-1]


needs_batch = pytest.mark.skipif(bool(_missing()), reason=_missing())
