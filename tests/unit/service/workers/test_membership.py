"""A worker learns its number from its own supervisor and from nobody else; told in processes of their own."""

import os
import subprocess
import sys

import pytest

from service.workers.membership import VARIABLE, invitation

JOIN = """
import os, sys
from service.errors import StartupError
from service.workers.membership import VARIABLE, join_supervisor
try:
    print(join_supervisor(), VARIABLE in os.environ)
except StartupError as error:
    print(error)
"""


def join(environment: dict[str, str]) -> str:
    """Start a process that joins; returns what it says."""
    command = [sys.executable, "-c", JOIN]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout


def test_a_worker_has_the_number_of_its_invitation() -> None:
    """The variable is gone then, since it is no setting."""
    assert join(invitation(3)).split() == ["3", "False"]


def test_who_is_not_invited_is_no_worker() -> None:
    """A single server has no number."""
    assert join({name: value for name, value in os.environ.items() if name != VARIABLE}).split() == ["None", "False"]


@pytest.mark.parametrize(
    ("value", "message"), [(f"1:{os.getppid()}", "it is gone"), ("2", "SEQ2SERVE_WORKER=2 is no setting")]
)
def test_another_s_invitation_is_refused(value: str, message: str) -> None:
    """Who has lost its supervisor before it joined would stay behind alone."""
    assert message in join({**os.environ, VARIABLE: value})
