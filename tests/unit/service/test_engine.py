"""The engine answers everybody, whatever else is in flight."""

import logging
import threading
from collections.abc import Sequence

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine import Engine
from service.errors import Draining, InternalError, QueueFull
from service.request import Encoded, Lane, Request
from service.search.candidates import Choice, Step
from service.search.hypothesis import FinishReason
from service.shard import RESTING
from tests.factories import (
    FakeRunner,
    make_engine,
    make_request,
    make_requests,
    make_scheduler,
    reversed_source,
    run_dry,
    said,
    search_of,
)
from tests.hashing_runner import HashingRunner


def test_request_is_answered() -> None:
    """A request comes back with its pieces, its score and the reason it ended."""
    engine, finished = make_engine()
    request = make_request(5, 6, 7)
    engine.submit(request)
    run_dry(engine)
    assert finished == [request]
    assert said(request) == [7, 6, 5]
    assert request.finish_reason is FinishReason.EOS
    assert request.steps == 4
    assert request.hypotheses[0].log_probability == pytest.approx(-2.0)
    assert request.mean_batch_size == pytest.approx(1.0)


def test_length_limit_ends_a_request() -> None:
    """A request stops at its own max_length."""
    engine, _ = make_engine()
    request = make_request(5, 6, 7, max_length=2)
    engine.submit(request)
    run_dry(engine)
    assert said(request) == [7, 6]
    assert request.finish_reason is FinishReason.LENGTH


def test_request_joins_at_any_step_and_leaves_when_done() -> None:
    """A later, shorter request overtakes a longer one that is already being decoded."""
    engine, finished = make_engine()
    long, short = make_request(*range(5, 25)), make_request(9)
    engine.submit(long)
    engine.step()
    engine.step()
    engine.submit(short)
    run_dry(engine)
    assert finished == [short, long]
    assert [said(r) for r in finished] == [reversed_source(r) for r in finished]


def test_one_call_a_step_for_all_rows_of_a_lane() -> None:
    """Requests of one lane share every step."""
    runner = FakeRunner()
    engine, _ = make_engine(runner, slots=8)
    requests = [make_request(5, 6, 7) for _ in range(8)]
    for request in requests:
        engine.submit(request)
    run_dry(engine)
    assert runner.batches == [8, 8, 8, 8]
    assert requests[0].mean_batch_size == pytest.approx(8.0)


def test_cancelled_request_frees_its_slot_by_the_next_step() -> None:
    """The slot of a cancelled request serves the next in line one step later, and nothing is emitted for it."""
    engine, finished = make_engine(slots=1)
    endless, waiting = make_request(*range(5, 35)), make_request(9)
    engine.submit(endless)
    engine.submit(waiting)
    engine.step()
    engine.cancel(endless)
    engine.step()
    assert waiting.row == 0
    run_dry(engine)
    assert finished == [waiting]
    assert endless.finish_reason is FinishReason.CANCELLED
    assert engine.stats.cancel_release_seconds.count == 1


def test_failed_encoder_fails_only_those_who_were_joining(caplog: pytest.LogCaptureFixture) -> None:
    """Rows already in the lane go on, and later requests are served."""
    caplog.set_level(logging.CRITICAL)
    engine, finished = make_engine(FakeRunner(fails_on=99))
    before, bad, after = make_request(5, 6, 7, 8), make_request(99), make_request(9)
    engine.submit(before)
    engine.step()
    engine.submit(bad)
    engine.step()
    engine.submit(after)
    run_dry(engine)
    assert isinstance(bad.error, InternalError)
    assert "99" not in str(bad.error)
    assert said(before) == [8, 7, 6, 5]
    assert said(after) == [9]
    assert set(finished) == {before, bad, after}


def test_failed_step_fails_its_lane_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """The loop survives, another lane is untouched, and the lane serves again."""
    caplog.set_level(logging.CRITICAL)
    engine, _ = make_engine(FakeRunner(breaks_on=99))
    bad, other = make_request(99, 5), make_request(*range(5, 15))
    for request in (bad, other):
        engine.submit(request)
    run_dry(engine)
    again = make_request(6, 7)
    engine.submit(again)
    run_dry(engine)
    assert bad.finish_reason is FinishReason.ERROR
    assert said(other) == reversed_source(other)
    assert said(again) == [7, 6]


class Undecided(FakeRunner):
    """Give NaN as soon as a row is to say 99."""

    def step(self, lane: Lane, choice: Choice, alignment: bool, ahead: int = 1) -> list[Step]:
        """Say the next piece of every row."""
        (step,) = super().step(lane, choice, alignment)
        assert step.log_probabilities is not None
        step.log_probabilities[step.ids == 99] = numpy.nan
        return [step]


def test_the_cause_of_a_failure_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    """Who proves a bundle tells of it, where nobody reads a log."""
    caplog.set_level(logging.CRITICAL)
    for runner, why in ((FakeRunner(fails_on=9), "the encoder failed"), (FakeRunner(breaks_on=9), "the step failed")):
        engine, finished = make_engine(runner)
        assert engine.cause is None
        engine.submit(make_request(8, 9))
        run_dry(engine)
        assert isinstance(finished[0].error, InternalError)
        assert str(engine.cause) == why


def test_a_model_without_numbers_fails_its_lane_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """What a model answers with NaN is an error, not a translation."""
    caplog.set_level(logging.CRITICAL)
    engine, finished = make_engine(Undecided())
    bad, other = make_request(7, 99, 5), make_request(*range(5, 15))
    for request in (bad, other):
        engine.submit(request)
    run_dry(engine)
    assert isinstance(bad.error, InternalError)
    assert said(other) == reversed_source(other)
    assert set(finished) == {bad, other}


class Crowded(FakeRunner):
    """Find no memory for requests, a number of times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def admit(self, lane: Lane, encoded: Encoded, chosen: Sequence[int], rows: Sequence[int]) -> None:
        """Write rows."""
        if self.times:
            self.times -= 1
            raise MemoryError
        super().admit(lane, encoded, chosen, rows)


def test_a_lane_that_could_not_be_made_is_made_later(caplog: pytest.LogCaptureFixture) -> None:
    """Who found no memory twice is told so, and the next in the same lane is served."""
    caplog.set_level(logging.CRITICAL)
    engine, finished = make_engine(Crowded(2))
    bad, good = make_request(5), make_request(9)
    for request in (bad, good):
        engine.submit(request)
        run_dry(engine)
    assert isinstance(bad.error, InternalError)
    assert said(good) == [9]
    assert finished == [bad, good]


def test_a_lane_that_could_not_be_made_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """Who found no memory once is served all the same."""
    caplog.set_level(logging.CRITICAL)
    engine, finished = make_engine(Crowded(1))
    request = make_request(5, 6)
    engine.submit(request)
    run_dry(engine)
    assert finished == [request]
    assert said(request) == [6, 5]


def test_closed_engine_fails_what_is_left_and_refuses_more() -> None:
    """Closing answers everybody with `draining`."""
    engine, finished = make_engine(slots=1)
    requests = make_requests(3)
    for request in requests:
        engine.submit(request)
    engine.close()
    assert set(finished) == set(requests)
    assert all(isinstance(request.error, Draining) for request in requests)
    with pytest.raises(Draining):
        engine.submit(make_request())


def test_full_line_is_refused_at_once() -> None:
    """A refused request leaves no trace."""
    engine, finished = make_engine(slots=1, queue_limit=1)
    engine.submit(make_request())
    with pytest.raises(QueueFull):
        engine.submit(make_request())
    run_dry(engine)
    assert len(finished) == 1


@settings(max_examples=150)
@given(
    slots=st.integers(1, 6),
    shards=st.integers(1, 3),
    full=st.integers(1, 4),
    few=st.integers(1, 3),
    sources=st.lists(st.lists(st.integers(4, 50), min_size=1, max_size=32), max_size=20),
    limits=st.lists(st.integers(1, 40), min_size=20, max_size=20),
    script=st.lists(st.sampled_from(["submit", "step", "cancel"]), max_size=120),
    pick=st.randoms(use_true_random=False),
)
def test_nobody_is_lost_and_nobody_is_mixed_up(
    slots: int,
    shards: int,
    full: int,
    few: int,
    sources: list[list[int]],
    limits: list[int],
    script: list[str],
    pick: object,
) -> None:
    """Whatever the order of arrivals, steps and cancels: each request ends once, with its own translation."""
    engine, finished = make_engine(slots=slots, shards=shards, full=full, few=few)
    left = [make_request(*source, max_length=limit) for source, limit in zip(sources, limits, strict=False)]
    alive: list[Request] = []
    cancelled: list[Request] = []
    for action in script:
        if action == "submit" and left:
            alive.append(left.pop())
            engine.submit(alive[-1])
        elif action == "step":
            engine.step()
        elif action == "cancel" and alive:
            victim = alive[pick.randrange(len(alive))]  # type: ignore[attr-defined]
            if victim not in finished and victim not in cancelled:
                engine.cancel(victim)
                cancelled.append(victim)
    run_dry(engine)
    assert len(finished) == len(set(finished))
    assert set(finished) | set(cancelled) == set(alive)
    assert not set(finished) & set(cancelled)
    for request in finished:
        assert said(request) == reversed_source(request)
    assert engine.scheduler.running == engine.scheduler.waiting == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_dead_thread_ends_all() -> None:
    """When a thread dies, nobody waits for ever: those who are left fail, and later ones are refused."""
    ended = threading.Event()

    def emit(news: list[Request]) -> None:
        if any(request.error is None for request in news):
            raise RuntimeError("nobody can be told")
        if news:
            ended.set()

    engine = Engine(make_scheduler(slots=2, shards=2), FakeRunner(), search_of, emit)
    for request in make_requests(50):
        engine.submit(request)
    engine.start()
    assert ended.wait(30)
    assert engine.failed
    with pytest.raises(Draining):
        engine.submit(make_request())
    engine.close()


def test_who_has_ended_hears_of_it_where_the_thread_dies() -> None:
    """A lane ends a request, and the next one takes the thread with it in the same step."""

    class Lost(BaseException):
        """Is no error that a step may have: the device is gone."""

    class Dying(FakeRunner):
        def step(self, lane: Lane, choice: Choice, alignment: bool, ahead: int = 1) -> list[Step]:
            if lane.source_length == 16:
                raise Lost
            return super().step(lane, choice, alignment)

    engine, finished = make_engine(Dying())
    short, long = make_request(5), make_request(*range(5, 20))
    engine.submit(short)
    engine.step()
    engine.submit(long)
    with pytest.raises(Lost):
        engine.step()
    assert finished == [short]
    assert said(short) == [5]


def test_empty_lanes_are_let_go() -> None:
    """However many lanes were in use, only the last few keep their memory, and an old one works again."""
    runner = HashingRunner()
    engine, finished = make_engine(runner, slots=16)
    for width in (*range(2, 13), 2):
        engine.submit(make_request(5, 6, beam_size=width))
        run_dry(engine)
    assert len(runner.lanes) <= RESTING
    assert said(finished[0]) == said(finished[-1])


class Unready(FakeRunner):
    """Find, in the thread that is to step, that nothing can be computed."""

    def begin(self) -> None:
        """Fail as a lost device does, which is no Exception."""
        raise KeyboardInterrupt("lost")


def test_an_engine_that_cannot_begin_says_so_to_who_starts_it() -> None:
    """It takes no request, and nobody waits for it."""
    engine, _ = make_engine(Unready())
    with pytest.raises(KeyboardInterrupt, match="lost"):
        engine.start()
    with pytest.raises(Draining):
        engine.submit(make_request(5))
