"""Each client has a share of its own."""

import pytest

from service.errors import ClientLimit
from service.shares import BURST_SECONDS, CLIENTS, Shares
from tests.factories import Clock


def refused(shares: Shares, client: str) -> ClientLimit | None:
    """Ask for a piece; returns the refusal."""
    try:
        shares.take(client, 1)
    except ClientLimit as error:
        return error
    return None


def test_nobody_is_bounded_by_default() -> None:
    """A rate of 0 is no limit."""
    shares = Shares(0)
    for _ in range(100):
        shares.take("a", 1_000_000)
    assert refused(shares, "a") is None
    assert len(shares) == 0


def test_who_uses_more_waits_and_others_do_not() -> None:
    """A client in debt is refused until it is paid back, told when that is, and nobody else notices."""
    clock = Clock()
    shares = Shares(10, clock)
    shares.take("greedy", 10 * int(BURST_SECONDS) + 50)
    error = refused(shares, "greedy")
    assert error is not None
    assert error.retry_after == pytest.approx(5.1)
    assert "'greedy' has used its 10 source pieces a second" in error.message
    assert refused(shares, "modest") is None
    assert refused(shares, "") is None
    clock.now = 5.0
    assert refused(shares, "greedy") is not None
    clock.now += 0.2
    assert refused(shares, "greedy") is None


def test_nobody_saves_up_more_than_a_burst() -> None:
    """However long a client was silent, it has its burst."""
    clock = Clock()
    shares = Shares(1, clock)
    shares.take("a", 1)
    clock.now = 1e6
    for _ in range(int(BURST_SECONDS)):
        shares.take("a", 1)
    assert refused(shares, "a") is not None


def test_clients_are_forgotten_when_there_are_too_many() -> None:
    """Who makes up a name for each request fills no memory, and does not make others forgotten that are active."""
    shares = Shares(1, Clock())
    shares.take("active", 100)
    for number in range(2 * CLIENTS):
        shares.take(f"made up {number}", 1)
        if number % 1000 == 0:
            assert refused(shares, "active") is not None
    assert len(shares) <= CLIENTS
