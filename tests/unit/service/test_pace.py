"""What requests are expected to take follows from what the last ones took."""

from typing import Any

import pytest

from service.pace import Pace
from tests.factories import MAX_LENGTH, make_request, make_scheduler


def learn(pace: Pace, ratio: float, count: int = 3000) -> None:
    """Let requests of 9 pieces end after so many steps for each, the end included."""
    for _ in range(count):
        request = make_request(*range(5, 14))
        request.steps = round(10 * ratio)
        pace.ended(request)


def test_a_target_is_at_first_as_long_as_its_source() -> None:
    """Before anything is known, a piece takes a step, and so does the end."""
    pace = Pace(8)
    assert pace.steps(make_request(5, 6, 7)) == 4
    assert pace.most_steps(3, MAX_LENGTH) > 4


def test_lengths_are_learned() -> None:
    """Longer translations are expected once there are some, and the surer the longer they stay so."""
    pace = Pace(8)
    learn(pace, 2.0)
    request = make_request(*range(5, 24))
    assert pace.steps(request) in (40, 41)
    assert pace.most_steps(19, MAX_LENGTH) <= 42


@pytest.mark.parametrize("options", [{"prefix": (9,) * 251}, {"min_length": 250}])
def test_lengths_that_callers_chose_teach_nothing(options: dict[str, Any]) -> None:
    """One target of 250 pieces for a source of one, as a Score may have, would count for many requests."""
    pace = Pace(8)
    learn(pace, 1.1)
    before = pace.most_steps(60, 250)
    request = make_request(5, max_length=251, **options)
    request.steps = 251
    pace.ended(request)
    assert pace.most_steps(60, 250) == before


def test_nobody_is_expected_to_pass_the_limit() -> None:
    """A bounded target takes no more steps than its bound and the end."""
    pace = Pace(8)
    request = make_request(*range(5, 35), max_length=6)
    assert pace.steps(request) == pace.most_steps(30, 6) == 7


def test_steps_times_are_learned() -> None:
    """The time of a step follows the last ones."""
    pace = Pace(8, step_seconds=1.0)
    for _ in range(2500):
        pace.stepped(0.01, 8)
    assert pace.step_seconds == pytest.approx(0.01, rel=0.05)


def test_a_full_step_is_expected_to_take_longer_than_one_of_few() -> None:
    """As long as nothing else is known, and so the first of many are not promised what an idle server can do."""
    pace = Pace(32)
    for _ in range(2500):
        pace.stepped(0.002, 1)
    assert 0.003 < pace.step_seconds <= 0.004


def test_the_price_of_load_is_learned() -> None:
    """Once steps have differed in load, a full one is expected to take what the line through them says."""
    pace = Pace(64)
    for _ in range(1000):
        for load in (4, 16, 32):
            pace.stepped(0.001 + 0.0002 * load, load)
    assert pace.step_seconds == pytest.approx(0.001 + 0.0002 * 64, rel=0.05)
    for _ in range(1000):
        for load in (4, 32):
            pace.stepped(0.002, load)
    assert pace.step_seconds == pytest.approx(0.002, rel=0.05)


@pytest.mark.parametrize(("shards", "full", "expected"), [(1, 1, 12), (2, 6, 6), (2, 12, 12), (3, 4, 4), (3, 6, 6)])
def test_a_full_step_has_the_slots_of_a_shard_that_steps(shards: int, full: int, expected: int) -> None:
    """The last one never does where the others take all."""
    assert make_scheduler(slots=12, shards=shards, full=full).pace._full == expected
