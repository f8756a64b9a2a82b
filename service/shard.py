"""A part of those in flight, and what advances it by a step: schedule, admit, step, select, emit."""

import logging
import time
from collections.abc import Callable, Sequence
from itertools import groupby

from service.errors import FAILED, Draining, InternalError
from service.request import Lane, Request, Status
from service.runner import Runner
from service.scheduler import Plan, Scheduler
from service.search.hypothesis import FinishReason
from service.search.search import Search
from service.stats import EngineStats
from service.waking import Waking

log = logging.getLogger("service.engine")
RESTING = 8  # empty lanes whose memory is kept


class Shard:
    """Hold the lanes that one thread steps; shards share the scheduler, its lock and the runner, but no lane."""

    def __init__(
        self,
        number: int,
        scheduler: Scheduler,
        waking: Waking,
        runner: Runner,
        search: Callable[[Lane], Search],
        emit: Callable[[list[Request]], None],
        stats: EngineStats,
    ) -> None:
        self.number = number
        self.stats = stats
        self.cause: Exception | None = None  # of the last failure of a batch or a step
        self._waking = waking  # around every call of the scheduler
        self._scheduler, self._runner, self._search, self._emit = scheduler, runner, search, emit
        self._searches: dict[Lane, Search] = {}
        self._resting: dict[Lane, None] = {}  # lanes without rows, the longest empty first
        self._failed: set[Lane] = set()  # lanes of whose rows nothing may stay
        self._lane_rows: dict[Lane, int] = {}  # row steps of a lane so far, for each request's mean batch size

    def begin(self) -> None:
        """Get ready in the thread that is going to step."""
        self._runner.begin()

    def step(self) -> None:
        """Let requests join and leave, then advance every lane by one piece."""
        clock = _Clock(self.stats.phase_seconds)
        with self._waking:
            plan = self._scheduler.schedule(self.number)
            if plan.compactions or plan.joining or plan.encoding:
                self._waking.wake()  # slots are free for a shard that sleeps, or it is to encode for this one now
        self._leave(plan)
        joined = self._join(plan.joining)
        if plan.encoding:
            self._encode(plan.encoding)
            with self._waking:
                joining = self._scheduler.ready(self.number, plan.encoding)
                self._waking.wake()  # some may be ready for another shard
            joined += self._join(joining)
        clock.lap("admit")
        news: list[Request] = []
        try:
            for lane, search in self._searches.items():
                if search.rows:
                    news += self._advance(lane, search, clock)
        finally:  # who has ended hears of it, even where this thread is about to die
            now = time.monotonic()
            for request in joined:
                request.first_token_at = now
            for request in news:
                if request.status is Status.FINISHED:
                    request.finished_at = now
            self._emit(news)  # or none, for who waits to tell of earlier ones
            clock.lap("emit")

    def _leave(self, plan: Plan) -> None:
        for request in plan.released:
            assert request.lane is not None
            search = self._searches.get(request.lane)
            if search and request.row < search.rows:  # else it was cancelled before it was there
                self.stats.wasted_steps += search.width * search.steps(request)
        for compaction in plan.compactions:
            if compaction.lane in self._failed:
                self._failed.remove(compaction.lane)
                self._runner.release(compaction.lane)
            if search := self._searches.get(compaction.lane):  # none where no request was ever admitted
                self._runner.compact(compaction.lane, compaction.into, compaction.taken, compaction.rows)
                search.compact(compaction.into, compaction.taken, compaction.rows)
                if not compaction.rows:
                    self._rest(compaction.lane, search)
        now = time.monotonic()
        for request in plan.released:
            self.stats.cancel_release_seconds.observe(now - request.cancelled_at)

    def _rest(self, lane: Lane, search: Search) -> None:
        """Let go of what an empty lane holds, but keep the last few ready: there are hundreds of lanes."""
        search.rest()
        self._resting[lane] = None
        if len(self._resting) > RESTING:
            longest = next(iter(self._resting))
            del self._resting[longest], self._searches[longest], self._lane_rows[longest]
            self._runner.release(longest)

    def _encode(self, requests: list[Request]) -> None:
        """Encode requests in batches of similar length; those of a batch that fails alone, and who fails again ends."""
        by_length, most = sorted(requests, key=lambda request: len(request.source_ids)), self._runner.encoder_rows
        for start in range(0, len(by_length), most):
            batch = sorted(by_length[start : start + most], key=_joins)  # rows that join together lie together
            if not self._encode_batch(batch):
                failed = [request for request in batch if not self._encode_batch([request])]
                with self._waking:
                    dropped = self._scheduler.drop(failed)
                self.fail(dropped, InternalError(FAILED))

    def _encode_batch(self, batch: list[Request]) -> bool:
        """Encode a batch; returns whether that worked."""
        started = time.monotonic()
        try:
            encoded = self._runner.encode([request.source_ids for request in batch])
        except Exception as error:
            self.cause = error
            log.exception("encoding %d sources failed", len(batch))
            return False
        now = time.monotonic()
        self._count_encode(batch, now - started)
        for row, request in enumerate(batch):
            request.encoded, request.encoded_row = encoded, row
            request.taken_at, request.encoded_at = started, now
        return True

    def _join(self, joining: list[Request]) -> list[Request]:
        """Bring requests into their lanes; returns those that are there."""
        by_lane: dict[Lane, list[Request]] = {}
        for request in joining:
            assert request.lane is not None
            by_lane.setdefault(request.lane, []).append(request)
        return [request for lane, requests in by_lane.items() for request in self._join_lane(lane, requests)]

    def _join_lane(self, lane: Lane, requests: list[Request]) -> list[Request]:
        """Let requests into their rows of one lane, a batch of the encoder after the other."""
        joined: list[Request] = []
        try:
            if lane not in self._searches:
                self._searches[lane], self._lane_rows[lane] = self._search(lane), 0
            search = self._searches[lane]
            for _, group in groupby(requests, key=lambda request: id(request.encoded)):
                batch = list(group)
                rows = [request.row for request in batch]
                added = [row for row in rows if row >= search.rows]
                if added and added[0] != search.rows:  # behind some that were lost in this step
                    break
                encoded = batch[0].encoded
                assert encoded is not None
                self._runner.admit(lane, encoded, [request.encoded_row for request in batch], rows)
                search.join(batch)
                joined += batch
        except Exception as error:
            self.cause = error
            log.exception("admitting %d requests to %s failed", len(requests) - len(joined), lane)
        if lost := requests[len(joined) :]:  # they hold the last rows, or those of who left
            self._retry(lane, [request.row for request in lost])
            if there := self._searches.get(lane):
                there.blank([request.row for request in lost if request.row < there.rows])
        if joined:
            self._resting.pop(lane, None)
        now = time.monotonic()
        for request in joined:
            request.joined_at, request.encoded = now, None
            request.lane_rows_before = self._lane_rows[lane]
        return joined

    def _count_encode(self, joining: list[Request], seconds: float) -> None:
        lengths = [len(request.source_ids) for request in joining]
        self.stats.encode_seconds.observe(seconds)
        self.stats.encode_rows.observe(len(joining))
        self.stats.source_tokens += sum(lengths)
        self.stats.encode_padding_tokens += max(lengths) * len(lengths) - sum(lengths)

    def _advance(self, lane: Lane, search: Search, clock: "_Clock") -> list[Request]:
        """Advance one lane by a step of the runner; returns the requests that ended, or of which more is certain."""
        news: list[Request] = []
        # Nobody who waits for a slot is kept from it by steps that are taken ahead.
        most = 1 if self._scheduler.waiting else self._runner.ahead
        ahead = 1 if most == 1 else search.ahead(most)
        try:
            steps = self._runner.step(lane, search.choice, search.wants_alignment, ahead)
            seconds = clock.lap("run") / len(steps)
            for left, step in zip(reversed(range(len(steps))), steps, strict=True):
                self.stats.step_seconds.observe(seconds)
                self.stats.decode_rows.observe(search.rows * search.width)
                self._lane_rows[lane] += search.rows * search.width
                ended = search.select(step).tolist()
                if ended:
                    finished = self._collect(lane, search, ended)
                    self.stats.wasted_steps += left * search.width * len(finished)
                    news += finished
            news += self._report(search)
        except Exception as error:
            self.cause = error
            log.exception("a step of %d rows failed in %s", search.rows, lane)
            ended = [r for r in search.requests if r.status is Status.FINISHED]
            over = [r for r in ended if not r.cancelled_at and not r.finished_at]  # in this step, and nobody was told
            begun = [r for r in search.requests if r.status is Status.RUNNING]  # and will begin again
            self.stats.wasted_steps += search.width * sum(map(search.steps, begun))
            # It is let go of in the next step: that may fail, too, and who has ended hears of it first.
            self._failed.add(lane)
            self._retry(lane)
            self.fail([request for request in over if request.finish_reason is None], InternalError(FAILED))
            return [request for request in over if request.error is None]
        clock.lap("select")
        return news

    def _report(self, search: Search) -> list[Request]:
        """Note what has become certain; returns the requests that want to hear of it."""
        news = []
        for request in search.streaming:
            if request.status is not Status.FINISHED:
                certain = search.certain(request)
                if len(certain.ids) > len(request.certain.ids):
                    request.certain = certain
                    news.append(request)
        return news

    def _collect(self, lane: Lane, search: Search, ended: Sequence[int]) -> list[Request]:
        with self._waking:
            finished = self._scheduler.update(lane, ended)
        for request in finished:
            request.hypotheses = search.result(request)
            request.steps = search.steps(request)
            request.mean_batch_size = (self._lane_rows[lane] - request.lane_rows_before) / request.steps
            request.finish_reason = request.hypotheses[0].finish_reason
            self.stats.target_tokens += sum(len(hypothesis.ids) for hypothesis in request.hypotheses)
        return finished

    def _retry(self, lane: Lane, rows: Sequence[int] | None = None) -> None:
        """Let some rows of a lane, or all, begin again, each by itself; those that did so before fail."""
        with self._waking:
            given_up = self._scheduler.retry(lane, self._scheduler.rows(lane) if rows is None else rows)
            self._waking.wake()
        self.fail(given_up, InternalError(FAILED))

    def fail(self, requests: list[Request], error: InternalError | Draining) -> None:
        """End requests with an error."""
        now = time.monotonic()
        for request in requests:
            request.error = type(error)(error.message)  # its own, since each is raised somewhere else
            request.finish_reason, request.finished_at = FinishReason.ERROR, now
        if requests:
            self._emit(requests)


def _joins(request: Request) -> tuple[Lane, tuple[float, int]]:
    """Return what those of a batch are sorted by when they join."""
    assert request.lane is not None
    return request.lane, request.turn


class _Clock:
    """Divide the thread's time among phases."""

    def __init__(self, phases: dict[str, float]) -> None:
        self._phases = phases
        self._last = time.monotonic()

    def lap(self, phase: str) -> float:
        """Add the time since the last lap to a phase; returns it in seconds."""
        now = time.monotonic()
        elapsed, self._last = now - self._last, now
        self._phases[phase] += elapsed
        return elapsed
