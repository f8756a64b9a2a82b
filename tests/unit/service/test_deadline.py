"""Whose deadline has passed, as far as a server can tell."""

import math

import pytest

from service.deadline import is_over


@pytest.mark.parametrize(
    ("deadline", "began", "now", "over"),
    [
        (10.0, 9.0, 10.0, True),
        (10.0, 9.0, 12.0, True),
        (10.0, 9.0, 9.985, True),  # the client's clock, and its digits
        (10.0, 9.0, 9.5, False),
        (110.0, 100.0, 109.91, True),  # gRPC tells ten seconds in tenths
        (110.0, 100.0, 109.0, False),
        (10.0, 9.99, 9.995, True),  # of ten milliseconds nobody can tell
        (math.inf, 0.0, 1e9, False),
    ],
)
def test_a_deadline_is_over_when_it_is_near(deadline: float, began: float, now: float, over: bool) -> None:
    """By a hundredth of the call's whole time, or a few milliseconds."""
    assert is_over(deadline, began, now) is over
