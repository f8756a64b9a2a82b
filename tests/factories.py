"""What service tests are made of: requests, schedulers, and a runner that needs neither ONNX Runtime nor a model."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy
from numpy.typing import NDArray

from service.engine import Engine
from service.options import SearchOptions
from service.request import Encoded, Lane, Request
from service.runner import Runner
from service.scheduler import Scheduler
from service.search.candidates import Choice, Step
from service.search.kinds import make_search
from service.search.search import Search, Symbols

UNK, BOS, EOS = 1, 2, 3
LENGTHS = (8, 16, 32)
MAX_LENGTH = 40


def make_request(*source_ids: int, max_length: int = MAX_LENGTH, streams: bool = False, **options: Any) -> Request:
    """Make a request of the given source pieces, (5, 6, 7) without any."""
    source = numpy.array(source_ids or (5, 6, 7), numpy.int64)
    return Request(source, SearchOptions(max_length, **options), streams)


def make_requests(count: int, **over: Any) -> list[Request]:
    """Make requests of different lengths and content."""
    return [make_request(*range(5 + i, 5 + i + 1 + i % 9), **over) for i in range(count)]


def make_scheduler(
    slots: int = 4,
    queue_limit: int = 100,
    shards: int = 1,
    queue_tokens: int = 10_000,
    clock: Callable[[], float] = time.monotonic,
    full: int = 1,
    few: int = 1,
    replaces: bool = False,
) -> Scheduler:
    """Make a scheduler with lanes of 8, 16 and 32 pieces."""
    return Scheduler(slots, queue_limit, queue_tokens, LENGTHS, shards, full, few, clock, replaces=replaces)


class Clock:
    """Show the time that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


class FakeRunner:
    """Translate by reversing the source; checks at each step that every row is told its own last choice.

    A source piece in `fails_on` makes the encoder fail, a target piece in `breaks_on` the step.
    """

    ahead, encoder_rows, replaces, together = 1, 8, True, False

    def __init__(self, fails_on: int = -1, breaks_on: int = -1) -> None:
        self.fails_on, self.breaks_on = fails_on, breaks_on
        self.lanes: dict[Lane, list[list[int]]] = {}  # what each row still has to say
        self.said: dict[Lane, list[int]] = {}
        self.batches: list[int] = []

    def encode(self, sources: Sequence[NDArray[numpy.int64]]) -> Encoded:
        """Remember the sources."""
        rows = [source.tolist() for source in sources]
        if any(self.fails_on in row for row in rows):
            raise RuntimeError("the encoder failed")
        states = numpy.empty(len(rows), object)
        states[:] = [[*reversed(row), EOS] for row in rows]
        return Encoded({"left": states}, {}, numpy.array([len(row) for row in rows]))

    def admit(self, lane: Lane, encoded: Encoded, chosen: Sequence[int], rows: Sequence[int]) -> None:
        """Write rows, behind others or in their places."""
        assert all(encoded.lengths[i] <= lane.source_length for i in chosen)
        lefts, said = self.lanes.setdefault(lane, []), self.said.setdefault(lane, [])
        for row, one in zip(rows, chosen, strict=True):
            assert row <= len(lefts)
            lefts[row : row + 1], said[row : row + 1] = [list(encoded.state["left"][one])], [BOS]

    def compact(self, lane: Lane, into: Sequence[int], taken: Sequence[int], rows: int) -> None:
        """Move rows."""
        for array in (self.lanes.get(lane, []), self.said.get(lane, [])):
            for place, row in zip(into, taken, strict=True):
                array[place] = array[row]
            del array[rows:]

    def release(self, lane: Lane) -> None:
        """Forget a lane."""
        self.lanes.pop(lane, None)
        self.said.pop(lane, None)

    def begin(self) -> None:
        """Do nothing."""

    def step(self, lane: Lane, choice: Choice, alignment: bool, ahead: int = 1) -> list[Step]:
        """Say the next piece of every row."""
        assert choice.ids[:, 0].tolist() == self.said[lane]
        following = [left[0] if left else EOS for left in self.lanes[lane]]
        if self.breaks_on in following:
            raise RuntimeError("the step failed")
        for left in self.lanes[lane]:
            del left[:1]
        self.said[lane] = following
        self.batches.append(len(following))
        ids = numpy.array(following, numpy.int64)[:, None, None]
        return [Step(numpy.full(ids.shape, -0.5, numpy.float32), ids)]


def search_of(lane: Lane) -> Search:
    """Make the search of a lane."""
    return make_search(lane, Symbols(UNK, BOS, EOS), MAX_LENGTH)


def make_engine(
    runner: Runner | None = None,
    slots: int = 4,
    queue_limit: int = 100,
    search: Callable[[Lane], Search] = search_of,
    shards: int = 1,
    full: int = 1,
    few: int = 1,
) -> tuple[Engine, list[Request]]:
    """Make an engine that is stepped by hand, and the list that its finished requests land in."""
    finished: list[Request] = []

    def emit(news: list[Request]) -> None:
        finished.extend(request for request in news if request.finish_reason)

    runner = runner or FakeRunner()
    scheduler = make_scheduler(slots, queue_limit, shards, full=full, few=few, replaces=runner.replaces)
    return Engine(scheduler, runner, search, emit), finished


def reversed_source(request: Request) -> list[int]:
    """Return what the fake runner makes of a request."""
    return list(reversed(request.source_ids.tolist()))[: request.options.max_length]


def said(request: Request) -> list[int]:
    """Return the pieces of the best hypothesis."""
    return list(request.hypotheses[0].ids)


def run_dry(engine: Engine, steps: int = 10_000) -> None:
    """Step an engine until nothing is left."""
    for _ in range(steps):
        if not engine.scheduler.busy:
            return
        engine.step()
    raise AssertionError(f"the engine is still busy after {steps} steps")
