"""A failure fails whom it must, and nobody else."""

import logging
from collections.abc import Sequence

import pytest

from service.errors import InternalError
from service.request import Encoded, Lane, Request, Status
from service.search.beam import Beam
from service.search.candidates import Choice, Step
from service.search.greedy import Greedy
from service.search.hypothesis import FinishReason, Hypothesis
from service.search.search import Symbols
from tests.factories import (
    BOS,
    EOS,
    MAX_LENGTH,
    UNK,
    FakeRunner,
    make_engine,
    make_request,
    reversed_source,
    run_dry,
    said,
)
from tests.hashing_runner import HashingRunner

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Keep the tracebacks that are to be expected out of the report."""
    caplog.set_level(logging.CRITICAL)


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("poison", ["encoder", "step"])
def test_who_shares_a_batch_with_one_that_breaks_it_is_translated(poison: str, shards: int) -> None:
    """All others begin again without it, each by itself; streams go on where they were."""
    runner = FakeRunner(fails_on=99) if poison == "encoder" else FakeRunner(breaks_on=99)
    engine, finished = make_engine(runner, slots=8, shards=shards)
    bad = make_request(5, 99, 7, streams=True)
    others = [make_request(*range(5, 5 + count), streams=count % 2 == 0) for count in (1, 2, 4, 6, 8)]
    for request in (*others[:3], bad, *others[3:]):
        engine.submit(request)
    run_dry(engine)
    assert len(finished) == 6
    assert set(finished) == {*others, bad}
    assert isinstance(bad.error, InternalError)
    assert bad.finish_reason is FinishReason.ERROR
    for request in others:
        assert request.error is None
        assert said(request) == reversed_source(request)
        assert list(request.certain.ids) == reversed_source(request)[: len(request.certain.ids)]
    assert engine.scheduler.running == engine.scheduler.waiting == 0
    assert not any(runner.lanes.values())


class Hiccup(FakeRunner):
    """Fail one step of three rows, and none after it."""

    failed = False

    def step(self, lane: Lane, choice: Choice, alignment: bool, ahead: int = 1) -> list[Step]:
        """Say the next piece of every row."""
        if len(self.lanes[lane]) == 3 and not self.failed:
            self.failed = True
            raise RuntimeError("once")
        return super().step(lane, choice, alignment)


def test_a_step_that_fails_once_costs_nobody() -> None:
    """All rows of the step begin again and end well; one of them can be given up meanwhile."""
    engine, finished = make_engine(Hiccup())
    first, second, given_up = make_request(5, 6, 7), make_request(8, 9), make_request(5)
    for request in (first, second, given_up):
        engine.submit(request)
    engine.step()
    assert {request.status for request in (first, second, given_up)} == {Status.WAITING}
    engine.cancel(given_up)
    run_dry(engine)
    assert set(finished) == {first, second}
    assert (said(first), said(second)) == ([7, 6, 5], [9, 8])
    assert engine.scheduler.running == engine.scheduler.waiting == 0


class Crowded(FakeRunner):
    """Have no memory once, for who joins others."""

    failed = False

    def admit(self, lane: Lane, encoded: Encoded, chosen: Sequence[int], rows: Sequence[int]) -> None:
        """Write rows."""
        if self.lanes.get(lane) and not self.failed:
            self.failed = True
            raise MemoryError("none is left")
        super().admit(lane, encoded, chosen, rows)


@pytest.mark.parametrize(("replaces", "retried"), [(False, 2), (True, 1)])
def test_who_joins_behind_rows_that_were_lost_keeps_its_place(replaces: bool, retried: int) -> None:
    """Of two slots that are free, one is for who is ready and fails to join, the other for who is encoded then.

    Where rows are replaced, the one that was lost is still there, and nobody is behind a row that is not.
    """
    runner = Crowded()
    runner.replaces = replaces
    engine, finished = make_engine(runner)
    engine.scheduler.encoded_ahead = 5
    sources = (range(5, 13), range(6, 14), (5, 6), (6, 7), (20, 21))
    requests = [make_request(*source) for source in (*sources, (10, 11, 12), (13, 14))]
    for request in requests[: len(sources)]:
        engine.submit(request)
    engine.step()
    for request in requests[len(sources) :]:
        engine.submit(request)
    run_dry(engine)
    assert runner.failed
    assert len(finished) == len(requests)
    assert sum(request.retried for request in requests) == retried
    assert all(said(request) == reversed_source(request) for request in finished)
    assert engine.scheduler.running == engine.scheduler.waiting == 0
    assert not any(runner.lanes.values())


def test_who_could_not_join_with_its_alignment_costs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hypotheses may end in the step after which its row is cleared away, and are described like any other."""
    engine, finished = make_engine(HashingRunner(), slots=6)
    neighbour, aligned = make_request(5, 6, beam_size=2), make_request(7, 8, beam_size=2, alignment=True, max_length=1)
    poison = make_request(9, 10, beam_size=2)
    begin, begun = Beam._begin, []

    def run_out(search: Beam, row: int, request: Request) -> None:
        begin(search, row, request)
        begun.append(request)
        if request is poison and begun.count(poison) == 1:
            raise MemoryError("none is left")

    monkeypatch.setattr(Beam, "_begin", run_out)
    engine.submit(neighbour)
    engine.step()
    engine.submit(aligned)
    engine.submit(poison)
    run_dry(engine)
    assert begun == [neighbour, aligned, poison, aligned, poison]
    assert len(finished) == 3
    assert all(request.error is None for request in finished)
    assert [request.retried for request in (neighbour, aligned, poison)] == [False, True, True]
    assert aligned.hypotheses[0].alignment is not None


class Refusing(FakeRunner):
    """Have no memory for who joins next, once it is told so."""

    refuses = False

    def admit(self, lane: Lane, encoded: Encoded, chosen: Sequence[int], rows: Sequence[int]) -> None:
        """Write rows."""
        if self.refuses:
            self.refuses = False
            raise MemoryError("none is left")
        super().admit(lane, encoded, chosen, rows)


def test_who_cannot_take_the_row_of_who_left_costs_nobody() -> None:
    """Who left had said as much as there is room for, hears of it once, and its row is stepped over once more."""
    longest = 20
    engine, finished = make_engine(
        runner := Refusing(), slots=2, search=lambda lane: Greedy(Symbols(UNK, BOS, EOS), 1, longest, False)
    )
    first, neighbour, joiner = (make_request(*range(5, 30), max_length=longest, streams=True) for _ in range(3))
    engine.submit(first)
    engine.step()
    engine.submit(neighbour)
    engine.submit(joiner)
    while not first.finish_reason:
        engine.step()
    runner.refuses, told_at = True, first.finished_at
    run_dry(engine)
    assert not runner.refuses
    assert finished == [first, neighbour, joiner]
    assert first.finished_at == told_at
    assert (neighbour.retried, joiner.retried) == (False, True)
    assert all(said(request) == reversed_source(request) for request in finished)


class Forgetful(Greedy):
    """Find no result of one request."""

    def result(self, request: Request) -> list[Hypothesis]:
        """Return the one hypothesis."""
        if 99 in request.source_ids:
            raise RuntimeError("where is it?")
        return super().result(request)


def test_a_result_that_cannot_be_told_loses_nobody() -> None:
    """Those that ended in the same step, before and after it, are answered, and the others go on."""
    engine, finished = make_engine(search=lambda lane: Forgetful(Symbols(UNK, BOS, EOS), 1, MAX_LENGTH, False))
    before, bad, after, longer = (make_request(*ids) for ids in ((5, 6), (99, 6), (8, 9), (5, 6, 7, 8)))
    for request in (before, bad, after, longer):
        engine.submit(request)
    run_dry(engine)
    assert len(finished) == 4
    assert set(finished) == {before, bad, after, longer}
    assert isinstance(bad.error, InternalError)
    assert (said(before), said(longer)) == ([6, 5], [8, 7, 6, 5])
    assert engine.scheduler.running == engine.scheduler.waiting == 0


class Lost(FakeRunner):
    """Be lost as soon as a lane is let go of."""

    def release(self, lane: Lane) -> None:
        """Fail."""
        raise SystemError("the device is lost")


def test_who_has_ended_hears_of_it_where_the_device_is_lost_thereupon() -> None:
    """A result that cannot be told lets go of the lane, which ends the engine."""
    engine, finished = make_engine(Lost(), search=lambda lane: Forgetful(Symbols(UNK, BOS, EOS), 1, MAX_LENGTH, False))
    good, bad = make_request(5, 6), make_request(99, 6)
    engine.submit(good)
    engine.submit(bad)
    with pytest.raises(SystemError, match="the device is lost"):
        run_dry(engine)
    assert finished == [bad, good]
    assert (said(good), type(bad.error)) == ([6, 5], InternalError)
