"""Who waits, who runs and in which row. It decides and never computes; it knows no threads and no I/O."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from service.deadline import due
from service.errors import QueueFull
from service.forecast import Forecast, check_time_left
from service.line import Line
from service.pace import Pace
from service.request import Lane, Request, Status


@dataclass(frozen=True)
class Compaction:
    """Say how a lane closes the gaps of rows that left: copy `taken` into `into`, keep the first `rows`."""

    lane: Lane
    into: list[int]
    taken: list[int]
    rows: int


@dataclass(frozen=True)
class Plan:
    """Say what happens before the next step."""

    compactions: list[Compaction]
    joining: list[Request]  # in row order within each lane: first in places of who left, then behind all others
    encoding: list[Request]  # who may join once they are encoded
    released: list[Request]  # cancelled requests whose rows are free now


@dataclass
class _Rows:
    requests: list[Request] = field(default_factory=list)  # index = row
    leaving: set[int] = field(default_factory=set)
    free: list[int] = field(default_factory=list)  # of those leaving, the last first: who joins now takes their places
    spoiled: bool = False  # a step has failed: nobody takes the place of another, so that nothing of them stays

    def add(self, request: Request) -> None:
        """Give a request a row that is free, or the next one."""
        if not self.free:
            request.row = len(self.requests)
            self.requests.append(request)
            return
        request.row = self.free.pop()
        self.leaving.remove(request.row)
        self.requests[request.row] = request


class Scheduler:
    """Keep the waiting line and the slots; who is due first begins first.

    Every hypothesis takes a slot. A request is admitted at any decoder step, as soon as there are enough and its turn
    has come, and is never evicted. Its turn is when it must begin to be done when it is due: at its deadline, or after
    30 s if that is sooner, and 10 s earlier for each step of priority; who need not wait has the first. So who takes
    longer begins earlier, and of those without deadlines who came first is done first. Who must wait is refused if that
    would be too late for it, or for another. Shards share the line and the slots; each has lanes of its own, and the
    emptiest takes who is next.
    Encoding runs ahead of the slots: when one is free and nobody is ready, several of the line are encoded, by a shard
    for which nobody waits if there is one.
    """

    def __init__(
        self,
        slots: int,
        queue_limit: int,
        queue_tokens: int,
        source_lengths: tuple[int, ...],
        shards: int = 1,
        full: int = 1,
        few: int = 1,
        clock: Callable[[], float] = time.monotonic,
        encoded_ahead: int = 16,
        replaces: bool = False,
    ) -> None:
        """Set the limits, in hypotheses and in requests and source pieces that wait, and the source lengths of lanes.

        They ascend. Another shard is begun once there are more than `few` hypotheses for each, but the last one when
        all others have `full`: until then it encodes for those that have more than few. When a slot is free, up to
        `encoded_ahead` of the line are encoded at a time. `replaces`: who joins a lane of one hypothesis each may take
        the place of who has left.
        """
        self.slots = slots
        self.queue_limit, self.queue_tokens = queue_limit, queue_tokens
        self.full, self.few = full, few
        self.encoded_ahead = encoded_ahead
        self.replaces = replaces
        self.source_lengths = source_lengths
        self.pace = Pace(slots / (shards - 1 if full * (shards - 1) >= slots else shards))  # of those that ever step
        self._forecast = Forecast(slots, self.pace)
        self._clock = clock
        self._loads = [0] * shards  # hypotheses, those included whose rows are still to be cleared away
        # When the step of a shard began that is not over yet, and with how many hypotheses.
        self._began: list[tuple[float, int] | None] = [None] * shards
        self._waiting, self._encoding, self._ready = Line(), Line(), Line()
        self._arrived = 0  # requests, so far
        self._lanes: dict[Lane, _Rows] = {}

    @property
    def shards(self) -> int:
        """Count the shards."""
        return len(self._loads)

    @property
    def waiting(self) -> int:
        """Count the requests that have no slots yet."""
        return len(self._waiting) + len(self._encoding) + len(self._ready)

    @property
    def running(self) -> int:
        """Count the slots in use."""
        lanes = list(self._lanes.items())
        return sum(lane.width * (len(rows.requests) - len(rows.leaving)) for lane, rows in lanes)

    @property
    def waiting_source_tokens(self) -> int:
        """Count the source pieces of the requests that have no slots yet."""
        return sum(line.source_tokens for line in self._lines)

    @property
    def load(self) -> float:
        """Return how many times its slots are needed: those in use, and those that end the line in a second."""
        return (self.running + self._work_in_line * self.pace.step_seconds) / self.slots

    @property
    def oldest(self) -> Request | None:
        """Return the request that has waited longest."""
        return min(self._in_line(), key=lambda request: request.lined_up_at, default=None)

    @property
    def busy(self) -> bool:
        """Tell whether a step would do anything; a row that has left still has to be cleared away."""
        return bool(self.waiting) or any(self._loads)

    def has_work(self, shard: int) -> bool:
        """Tell whether a step of a shard would do anything."""
        if self._loads[shard]:
            return True
        if self._ready.first:
            return self._takes(shard, self._ready.first)
        return self._waiting.first is not None and self._encodes(shard, self._waiting.first)

    def lane_of(self, request: Request) -> Lane:
        """Return the lane of a request; its source is known to fit the longest."""
        length = len(request.source_ids)
        return Lane.of(next(bucket for bucket in self.source_lengths if bucket >= length), request.options)

    def submit(self, request: Request) -> None:
        """Put a request into the waiting line.

        Raises:
            QueueFull: the line has reached a limit.
            DeadlineUnmeetable: it would be done too late, or make another late.
            DeadlineExceeded: its time is over already.
        """
        self._check_line(request)
        now, steps = self._clock(), self.pace.steps(request)
        request.lane = self.lane_of(request)
        request.work = steps * request.lane.width
        check_time_left(request, now)
        # It begins at once, and whoever comes before it does so is behind it: nobody has asked when it would be done.
        at_once = not self.waiting and sum(self._loads) + request.lane.width <= self.slots
        begins = due(request.deadline, request.priority, now) - steps * self.pace.step_seconds
        request.turn = (-math.inf if at_once else begins, self._arrived)
        if not at_once:
            behind = self._waiting.behind(request)
            self._forecast.check(request, self._work_in_line - sum(stretch.work for stretch in behind), behind, now)
        self._arrived += 1
        request.lined_up_at = now
        self._waiting.add(request)

    def _check_line(self, request: Request) -> None:
        for waiting, more, limit, what in (
            (self.waiting, 1, self.queue_limit, "requests"),
            (self.waiting_source_tokens, len(request.source_ids), self.queue_tokens, "source pieces"),
        ):
            if waiting and waiting + more > limit:
                why = f"{waiting} {what} are waiting, the limit is {limit}: try again later"
                raise QueueFull(why, retry_after=self._forecast.wait(self._work_in_line))

    @property
    def _work_in_line(self) -> int:
        return sum(line.work for line in self._lines)

    @property
    def _lines(self) -> tuple[Line, Line, Line]:
        return self._ready, self._encoding, self._waiting

    def cancel(self, request: Request) -> bool:
        """Take a request out, wherever it is; returns whether it was still alive."""
        if request.status is Status.FINISHED:
            return False
        if request.status is Status.RUNNING:
            assert request.lane is not None
            self._lanes[request.lane].leaving.add(request.row)
        else:
            for line in self._lines:
                line.remove(request)
        request.status = Status.FINISHED
        return True

    def schedule(self, shard: int = 0) -> Plan:
        """Close the gaps of rows that left a shard, and fill its free slots from the line."""
        now, began = self._clock(), self._began[shard]
        if began is not None:
            self.pace.stepped(now - began[0], began[1])
        left: list[Request] = []
        compactions: list[Compaction] = []
        offering: list[tuple[Lane, _Rows]] = []
        for lane, rows in self._lanes.items():
            if not rows.leaving or lane.shard != shard:
                continue
            left += [rows.requests[row] for row in rows.leaving]
            self._loads[shard] -= lane.width * len(rows.leaving)
            if self.replaces and lane.width == 1 and not rows.spoiled:
                rows.free = sorted(rows.leaving, reverse=True)
                offering.append((lane, rows))
            else:
                compactions.append(_close_gaps(lane, rows))
        for request in left:
            self._forecast.ended(request)
        joining = self._admit(shard)
        compactions += [_close_gaps(lane, rows) for lane, rows in offering if rows.leaving]
        self._forget_lanes(compactions)
        self._began[shard] = (now, self._loads[shard]) if self._loads[shard] else None
        released = [request for request in left if request.cancelled_at]
        return Plan(compactions, joining, self._encode(shard), released)

    def _forget_lanes(self, compactions: Iterable[Compaction]) -> None:
        """Let go of lanes that were made for one request, which is done."""
        for compaction in compactions:
            if compaction.lane.alone:
                del self._lanes[compaction.lane]

    def _encode(self, shard: int) -> list[Request]:
        """Take some of the line to be encoded, where the first of them could join and nobody is ready to."""
        first = self._waiting.first
        if first is None or self._ready or not self._encodes(shard, first):
            return []
        taken = self._waiting.take(self.encoded_ahead)
        for request in taken:
            self._encoding.add(request)
            request.status = Status.ENCODING
        return taken

    def ready(self, shard: int, encoded: Iterable[Request]) -> list[Request]:
        """Put those into line for slots that were encoded, and not cancelled meanwhile; returns who joins at once."""
        for request in encoded:
            if request.status is Status.ENCODING:
                self._encoding.remove(request)
                self._ready.add(request)
                request.status = Status.READY
        return self._admit(shard)

    def drop(self, requests: Iterable[Request]) -> list[Request]:
        """Take those out that could not be encoded; returns them, without those cancelled meanwhile."""
        dropped = [request for request in requests if request.status is Status.ENCODING]
        for request in dropped:
            self._encoding.remove(request)
            request.status = Status.FINISHED
        return dropped

    def retry(self, lane: Lane, rows: Iterable[int]) -> list[Request]:
        """Put those whose step failed back into line, each for a lane of its own; returns who was tried twice."""
        given_up = []
        self._lanes[lane].spoiled = True
        for request in self.update(lane, rows):
            if request.retried:
                given_up.append(request)
                continue
            request.retried, request.status = True, Status.WAITING
            request.lane = self.lane_of(request)._replace(alone=request.turn[1] + 1)
            self._waiting.add(request)
        return given_up

    def _admit(self, shard: int) -> list[Request]:
        """Take the first that are ready into lanes of a shard, until one is for another: none of them is passed."""
        joining = []
        while (request := self._ready.first) and self._takes(shard, request):
            assert request.lane is not None
            request.lane = request.lane._replace(shard=shard)
            self._lanes.setdefault(request.lane, _Rows()).add(request)
            request.status = Status.RUNNING
            self._loads[shard] += request.lane.width
            self._forecast.began(request)
            joining += self._ready.take(1)
        return joining

    def _takes(self, shard: int, request: Request) -> bool:
        """Tell whether there are slots for a request, and none of the shards that are needed is emptier."""
        needed = self._needed(request)
        return shard < len(needed) and self._loads[shard] == min(needed)

    def _encodes(self, shard: int, request: Request) -> bool:
        """Tell whether a shard is to encode a request that there are slots for.

        It is who takes it; but where more than a few would wait for that, a shard that has none.
        """
        needed = self._needed(request)
        if needed and min(needed) > self.few and 0 in self._loads:
            return shard == self._loads.index(0)
        return self._takes(shard, request)

    def _needed(self, request: Request) -> list[int]:
        """Return the loads of the shards that are needed if a request joins; none: there are no slots for it."""
        assert request.lane is not None
        total, others = sum(self._loads) + request.lane.width, max(1, self.shards - 1)
        if total > self.slots:
            return []
        return self._loads if total > others * self.full else self._loads[: min(others, -(-total // self.few))]

    def _in_line(self) -> Iterator[Request]:
        return chain(self._ready, self._encoding, self._waiting)

    def update(self, lane: Lane, ended: Iterable[int]) -> list[Request]:
        """Free the rows that ended in a step; returns their requests, without those cancelled meanwhile."""
        rows = self._lanes[lane]
        fresh = [row for row in ended if row not in rows.leaving]
        rows.leaving.update(fresh)
        finished = [rows.requests[row] for row in fresh]
        for request in finished:
            request.status = Status.FINISHED
        return finished

    def rows(self, lane: Lane) -> list[int]:
        """List the rows of a lane whose requests are alive."""
        rows = self._lanes[lane]
        return [row for row in range(len(rows.requests)) if row not in rows.leaving]

    def clear(self) -> list[Request]:
        """Take everybody out, waiting or running; returns them."""
        alive = [*self._in_line()]
        for rows in self._lanes.values():
            alive += [request for row, request in enumerate(rows.requests) if row not in rows.leaving]
        for line in self._lines:
            line.clear()
        self._forecast = Forecast(self.slots, self.pace)
        self._lanes.clear()
        self._loads = [0] * len(self._loads)
        for request in alive:
            request.status = Status.FINISHED
        return alive


def _close_gaps(lane: Lane, rows: _Rows) -> Compaction:
    """Fill the gaps with the last rows, so that at most one row moves per row that left."""
    size = len(rows.requests) - len(rows.leaving)
    into = sorted(row for row in rows.leaving if row < size)
    taken = [row for row in range(size, len(rows.requests)) if row not in rows.leaving]
    for gap, row in zip(into, taken, strict=True):
        request = rows.requests[row]
        rows.requests[gap], request.row = request, gap
    del rows.requests[size:]
    rows.leaving.clear()
    rows.free.clear()
    rows.spoiled = False
    return Compaction(lane, into, taken, size)
