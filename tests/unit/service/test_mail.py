"""Threads of an engine fetch what comes by mail: one that sleeps waits for it; where none does, those who work look."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from service.engine import Engine
from service.errors import InternalError
from service.mail import Taker
from service.request import Lane, Request
from service.search.candidates import Choice, Step
from service.waking import Waking
from tests.factories import FakeRunner, make_request, make_requests, make_scheduler, reversed_source, said, search_of

PATIENCE = 30  # seconds


class Letters:
    """Hold requests that were posted, and note who waits for them, how often was fetched, and the end."""

    def __init__(self) -> None:
        self.posted, self.abandoned = deque[Request](), False
        self.waiting: str | None = None
        self.fetched = 0
        self._news = threading.Condition()
        self._rung = False
        self._taker: Taker | None = None

    def open(self, taker: Taker) -> None:
        """Hand over to a taker."""
        self._taker = taker

    def post(self, request: Request) -> None:
        """Let a request come."""
        with self._news:
            self.posted.append(request)
            self._news.notify_all()

    def fetch(self) -> None:
        """Hand over what is there."""
        assert self._taker is not None
        self.fetched += 1
        while self.posted:
            request = self.posted.popleft()
            self._taker.submit(request)

    def wait(self) -> None:
        """Wait for a request, or a ring."""
        with self._news:
            assert self.waiting is None, "two threads wait"
            self.waiting = threading.current_thread().name
            self._news.notify_all()
            assert self._news.wait_for(lambda: self.posted or self._rung, PATIENCE)
            self.waiting, self._rung = None, False

    def ring(self) -> None:
        """Wake who waits."""
        with self._news:
            self._rung = True
            self._news.notify_all()

    def abandon(self) -> None:
        """Note that it was."""
        with self._news:
            self.abandoned = True
            self._news.notify_all()

    def expect(self, holds: Callable[[], object]) -> None:
        """Wait until something holds."""
        with self._news:
            assert self._news.wait_for(holds, PATIENCE)


class Gated(FakeRunner):
    """Let the first step of each shard wait until it is let through."""

    def __init__(self, shards: int) -> None:
        super().__init__()
        self.begun = [threading.Event() for _ in range(shards)]
        self.go_on = threading.Event()

    def step(self, lane: Lane, choice: Choice, alignment: bool, ahead: int = 1) -> Sequence[Step]:
        """Say the next piece of every row."""
        self.begun[lane.shard].set()
        assert self.go_on.wait(PATIENCE)
        return super().step(lane, choice, alignment)


@contextmanager
def started(letters: Letters, runner: FakeRunner, shards: int) -> Iterator[tuple[Engine, threading.Semaphore]]:
    """Run an engine with a thread for each shard; also gives a count of who has ended."""
    ended = threading.Semaphore(0)

    def emit(news: list[Request]) -> None:
        for request in news:
            if request.finish_reason:
                ended.release()

    engine = Engine(make_scheduler(slots=4, shards=shards), runner, search_of, emit, mail=letters)
    engine.start()
    try:
        yield engine, ended
    finally:
        engine.close()


@pytest.mark.parametrize("shards", [1, 2, 3])
def test_what_comes_by_mail_is_answered(shards: int) -> None:
    """However many threads there are, each sleeping and waking; in the end one waits again."""
    letters, requests = Letters(), make_requests(60)
    with started(letters, FakeRunner(), shards) as (_, ended):
        for request in requests:
            letters.post(request)
        assert all(ended.acquire(timeout=PATIENCE) for _ in requests)
        letters.expect(lambda: letters.waiting)
    assert [said(request) for request in requests] == [reversed_source(request) for request in requests]


def test_who_works_looks_where_nobody_waits() -> None:
    """Between its steps: the one thread of an engine takes in who comes while it works."""
    letters, runner = Letters(), Gated(1)
    first, second = make_request(*range(5, 25)), make_request(5)
    with started(letters, runner, 1) as (_, ended):
        letters.post(first)
        assert runner.begun[0].wait(PATIENCE)
        assert letters.waiting is None
        letters.post(second)
        runner.go_on.set()
        assert all(ended.acquire(timeout=PATIENCE) for _ in range(2))
    assert second.finished_at < first.finished_at


def test_another_who_sleeps_waits_while_one_works() -> None:
    """So that who comes need not wait for the end of a step; who works does not look then."""
    letters, runner = Letters(), Gated(2)
    with started(letters, runner, 2) as (_, ended):
        letters.expect(lambda: letters.waiting)
        letters.post(make_request(5, 6))
        assert runner.begun[0].wait(PATIENCE)
        letters.expect(lambda: letters.waiting == "engine-1")
        fetched = letters.fetched
        runner.go_on.set()
        assert ended.acquire(timeout=PATIENCE)  # after several steps
        assert letters.fetched == fetched


def test_who_waits_for_mail_is_woken_for_other_work() -> None:
    """A request that was handed over by another thread is work, too."""
    letters = Letters()
    with started(letters, FakeRunner(), 1) as (engine, ended):
        letters.expect(lambda: letters.waiting)
        engine.submit(make_request(5, 6))
        assert ended.acquire(timeout=PATIENCE)


def test_nobody_waits_for_mail_any_more_at_the_end() -> None:
    """Closing wakes who waits."""
    letters = Letters()
    waking = Waking(make_scheduler(slots=4, shards=1), letters)
    answers = []

    def sleep() -> None:
        with waking:
            answers.append(waking.sleep(0))

    letters.open(Engine(make_scheduler(), FakeRunner(), search_of, lambda news: None))
    thread = threading.Thread(target=sleep)
    thread.start()
    letters.expect(lambda: letters.waiting)
    with waking:
        waking.close()
    thread.join(PATIENCE)
    assert answers == [False]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("shards", [1, 2])
def test_mail_is_abandoned_when_a_thread_has_died(shards: int) -> None:
    """After those who were there have failed; so nobody waits for ever for an answer to what comes later."""

    class Dying(FakeRunner):
        def step(self, lane: Lane, choice: Choice, alignment: bool, ahead: int = 1) -> Sequence[Step]:
            raise SystemExit

    letters, lost = Letters(), make_request(5, 6)
    with started(letters, Dying(), shards) as (engine, ended):
        letters.post(lost)
        letters.expect(lambda: letters.abandoned)
        assert ended.acquire(timeout=PATIENCE)
        assert engine.failed
    assert isinstance(lost.error, InternalError)
