"""What requests are expected to take follows from what the last ones took."""

import pytest

from service.pace import Pace
from tests.factories import make_request


def learn(pace: Pace, ratio: float, count: int = 3000) -> None:
    """Let requests of 9 pieces end after so many steps for each, the end included."""
    for _ in range(count):
        request = make_request(*range(5, 14))
        request.steps = round(10 * ratio)
        pace.ended(request)


def test_a_target_is_at_first_as_long_as_its_source() -> None:
    """Before anything is known, a piece takes a step, and so does the end."""
    pace = Pace()
    assert pace.steps(make_request(5, 6, 7)) == 4
    assert pace.most_steps(make_request(5, 6, 7)) > 4


def test_lengths_are_learned() -> None:
    """Longer translations are expected once there are some, and the surer the longer they stay so."""
    pace = Pace()
    learn(pace, 2.0)
    request = make_request(*range(5, 24))
    assert pace.steps(request) in (40, 41)
    assert pace.most_steps(request) <= 42


def test_nobody_is_expected_to_pass_the_limit() -> None:
    """A bounded target takes no more steps than its bound and the end."""
    pace = Pace()
    request = make_request(*range(5, 35), max_length=6)
    assert pace.steps(request) == pace.most_steps(request) == 7


def test_steps_times_are_learned() -> None:
    """The time of a step follows the last ones."""
    pace = Pace(step_seconds=1.0)
    for _ in range(300):
        pace.stepped(0.01)
    assert pace.step_seconds == pytest.approx(0.01, rel=0.05)
