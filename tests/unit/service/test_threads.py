"""The threads of an engine share the work: what there is to step, and what there is to encode."""

import threading
from collections.abc import Sequence

import numpy
from numpy.typing import NDArray

from service.engine import Engine
from service.request import Encoded, Lane, Request
from service.search.candidates import Choice, Step
from tests.factories import (
    FakeRunner,
    make_request,
    make_requests,
    make_scheduler,
    reversed_source,
    said,
    search_of,
)


class Meeting(FakeRunner):
    """Let nobody's first step end before both shards have begun theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: set[int] = set()
        self.met = threading.Event()

    def step(self, lane: Lane, choice: Choice, alignment: bool, ahead: int = 1) -> list[Step]:
        """Say the next piece of every row."""
        self.begun.add(lane.shard)
        if len(self.begun) == 2:
            self.met.set()
        assert self.met.wait(30)
        return super().step(lane, choice, alignment)


def test_threads_share_the_work() -> None:
    """Two shards with threads of their own answer everybody; what they did adds up to what was asked."""
    ended = threading.Semaphore(0)
    finished: list[Request] = []
    runner = Meeting()

    def emit(news: list[Request]) -> None:
        finished.extend(news)
        for _ in news:
            ended.release()

    engine = Engine(make_scheduler(slots=6, shards=2), runner, search_of, emit)
    requests = make_requests(60)
    engine.start()
    for request in requests:
        engine.submit(request)
    assert all(ended.acquire(timeout=30) for _ in requests)
    engine.close()
    assert all(said(request) == reversed_source(request) for request in requests)
    assert {lane.shard for lane in runner.lanes} == {0, 1}
    assert engine.stats.target_tokens == sum(len(said(request)) for request in requests)
    assert engine.stats.encode_rows.sum == len(requests)


class Held(FakeRunner):
    """Hold a step of three rows until the test says so, and one of four until a fifth source is encoded."""

    def __init__(self) -> None:
        super().__init__()
        self.encoders: list[str] = []  # names of threads, one for each source
        self.encoded = {count: threading.Event() for count in (4, 5)}
        self.three, self.go = threading.Event(), threading.Event()

    def encode(self, sources: Sequence[NDArray[numpy.int64]]) -> Encoded:
        """Note who encodes."""
        for _ in sources:
            self.encoders.append(threading.current_thread().name)
            if event := self.encoded.get(len(self.encoders)):
                event.set()
        return super().encode(sources)

    def step(self, lane: Lane, choice: Choice, alignment: bool, ahead: int = 1) -> list[Step]:
        """Say the next piece of every row."""
        rows = len(self.lanes[lane])
        if rows == 3:
            self.three.set()
            assert self.go.wait(30)
        elif rows == 4:
            assert self.encoded[5].wait(30)
        return super().step(lane, choice, alignment)


def test_thread_without_rows_encodes_for_one_with_many() -> None:
    """It hears of who comes, and of who came while others that it had encoded were still to join."""
    ended = threading.Semaphore(0)
    runner = Held()

    def emit(news: list[Request]) -> None:
        for _ in news:
            ended.release()

    engine = Engine(make_scheduler(slots=8, shards=2, full=8, few=2), runner, search_of, emit)
    requests = [make_request(*range(5, 13)) for _ in range(5)]
    for request in requests[:3]:
        engine.submit(request)
    engine.start()
    assert runner.three.wait(30)
    engine.submit(requests[3])
    assert runner.encoded[4].wait(30)
    engine.submit(requests[4])
    runner.go.set()
    assert all(ended.acquire(timeout=30) for _ in requests)
    engine.close()
    assert all(said(request) == reversed_source(request) for request in requests)
    assert runner.encoders == ["engine-0"] * 3 + ["engine-1"] * 2
    assert {lane.shard for lane in runner.lanes} == {0}
