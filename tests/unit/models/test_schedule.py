"""The learning rate over a run."""

import math

import pytest

from models.training import learning_rate
from tests.unit.models.factories import training_config

pytestmark = pytest.mark.torch


def test_warmup_is_linear_from_zero() -> None:
    """The rate rises by equal steps to the recipe's rate at the last update of the warm-up."""
    config = training_config(learning_rate=0.4, warmup_updates=4, max_updates=12)
    assert [learning_rate(config, update) for update in range(1, 5)] == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_cosine_falls_to_zero() -> None:
    """After the warm-up the rate follows half a cosine, to half at the middle and zero at max_updates."""
    config = training_config(learning_rate=0.4, warmup_updates=4, max_updates=12, schedule="cosine")
    rates = [learning_rate(config, update) for update in range(4, 13)]
    assert rates == sorted(rates, reverse=True)
    assert rates[4] == pytest.approx(0.2)
    assert rates[2] == pytest.approx(0.4 * (0.5 + math.sqrt(0.125)))
    assert rates[8] == pytest.approx(0, abs=1e-12)
    assert learning_rate(config, 13) == pytest.approx(0, abs=1e-12)


def test_plateau_stays_at_the_rate() -> None:
    """The plateau schedule itself does not fall with the updates."""
    config = training_config(learning_rate=0.4, warmup_updates=2, max_updates=12, schedule="plateau")
    assert [learning_rate(config, update) for update in (1, 2, 3, 12)] == pytest.approx([0.2, 0.4, 0.4, 0.4])


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_no_warmup_starts_at_the_rate(schedule: str) -> None:
    """Without warm-up the first update has (nearly) the whole rate, and no division by zero."""
    config = training_config(learning_rate=0.4, warmup_updates=0, max_updates=1000, schedule=schedule)
    assert learning_rate(config, 1) == pytest.approx(0.4, rel=1e-4)


def test_a_warmup_longer_than_the_run_is_cut_off() -> None:
    """A run that ends within its warm-up just rises."""
    config = training_config(learning_rate=0.4, warmup_updates=20, max_updates=10)
    assert learning_rate(config, 10) == pytest.approx(0.2)
