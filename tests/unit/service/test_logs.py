"""Log lines of several servers can be told apart."""

import json
import subprocess
import sys

LOG = """
import logging, structlog
from service.logs import configure_logs
for form in ("json", "console"):
    for worker in (None, 3):
        structlog.reset_defaults()
        configure_logs(form, "info", worker)
        logging.getLogger("service.server").info("draining")
        structlog.get_logger().info("call")
"""

KEPT = """
import structlog
from service.logs import configure_logs
configure_logs("json", "info")
structlog.get_logger().info("call", timestamp="2026-01-02T03:04:05Z")
"""


def test_a_line_may_tell_of_an_earlier_moment() -> None:
    """That was written later than it happened."""
    run = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(run.stderr)["timestamp"] == "2026-01-02T03:04:05Z"


def test_lines_have_the_number_of_their_worker_and_no_other() -> None:
    """Events and the access log, for machines and for people; a single server has no number."""
    run = subprocess.run([sys.executable, "-c", LOG], capture_output=True, text=True, timeout=60, check=True)
    lines = run.stderr.splitlines()
    assert [json.loads(line).get("worker") for line in lines[:4]] == [None, None, 3, 3]
    assert ["worker=3" in line for line in lines[4:]] == [False, False, True, True]
    assert [("draining" in line, "call" in line) for line in lines] == [(True, False), (False, True)] * 4
