"""The process of an engine: python -m service.core.process CONTROL NEWS, two sockets that a server hands over."""

import gc
import logging
import os
import signal
import socket
import sys
from multiprocessing.connection import Connection

from service.core.desk import FEW_INT8, Desk
from service.core.local import LocalCore
from service.errors import StartupError
from service.logs import configure_logs
from service.parts import INT8

log = logging.getLogger("service.core")
# A thread that comes back from ONNX Runtime waits until another lets go of the interpreter: by default up to 5 ms, as
# long as a decoder step. With this there are a tenth more sentences a second (measured), with less there are no more.
SWITCH_SECONDS = 0.0002


def main() -> int:
    """Load what the server wants, and work for it until it closes this process, or is gone."""
    for number in (signal.SIGTERM, signal.SIGINT):  # who stops a service may signal all of its processes, and the
        signal.signal(number, signal.SIG_IGN)  # server finishes what it has before it closes this one
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # `stty tostop` would stop who is not the terminal's own group
    sys.setswitchinterval(SWITCH_SECONDS)
    control, desk = Connection(int(sys.argv[1])), Desk(socket.socket(fileno=int(sys.argv[2])))
    setup, logs = control.recv()
    configure_logs(logs.form, logs.level, logs.worker)
    try:
        core = LocalCore(setup, desk.emit, desk)
    except Exception as error:  # of any kind: whoever asked for the model says what is wrong with it
        if not isinstance(error, StartupError):  # which says all there is to know
            log.exception("the engine did not start")
        control.send(error)
        return 1
    if core.facts.precision == INT8:
        desk.few = FEW_INT8
    gc.freeze()  # what was loaded stays: to look through it for garbage would stop everything
    control.send((core.facts, core.observe()))
    return _answer(control, core, desk)


def _answer(control: Connection, core: LocalCore, desk: Desk) -> int:
    """Answer questions, which have numbers; none is the last, or the server's end."""
    try:
        while (number := control.recv()) is not None:
            control.send((number, core.observe()))
        core.close()
        desk.close()
    except (EOFError, OSError):
        return _end(0)
    except BaseException:  # a lost device, too
        log.exception("the engine cannot go on")
        desk.abandon()
    return _end(0)


def _end(status: int) -> int:
    """End at once: the server is gone, or has what it wants, and the engine may be in the middle of a step."""
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
