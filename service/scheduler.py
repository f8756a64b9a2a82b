"""Who waits, who runs and in which row. It decides and never computes; it knows no threads, no clock and no I/O."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from service.errors import QueueFull
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
    joining: list[Request]  # in row order within each lane, behind the rows already there
    released: list[Request]  # cancelled requests whose rows are free now


@dataclass
class _Rows:
    requests: list[Request] = field(default_factory=list)  # index = row
    leaving: set[int] = field(default_factory=set)


class Scheduler:
    """Keep the waiting line and the slots; first come, first served.

    Every hypothesis takes a slot. A request is admitted as soon as there are enough, at any decoder step, and is never
    evicted. Shards share the line and the slots; each has lanes of its own, and the emptiest takes who is next.
    """

    def __init__(self, slots: int, queue_limit: int, source_lengths: tuple[int, ...], shards: int = 1) -> None:
        """Set the limits in hypotheses and requests, and the ascending source lengths that lanes are made for."""
        self.slots = slots
        self.queue_limit = queue_limit
        self.source_lengths = source_lengths
        self._loads = [0] * shards  # hypotheses, those included whose rows are still to be cleared away
        self._waiting: dict[Request, None] = {}  # ordered, and a request leaves it in O(1)
        self._lanes: dict[Lane, _Rows] = {}

    @property
    def shards(self) -> int:
        """Count the shards."""
        return len(self._loads)

    @property
    def waiting(self) -> int:
        """Count the requests in the waiting line."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Count the slots in use."""
        lanes = list(self._lanes.items())
        return sum(lane.width * (len(rows.requests) - len(rows.leaving)) for lane, rows in lanes)

    @property
    def waiting_source_tokens(self) -> int:
        """Count the source pieces in the waiting line."""
        return sum(len(request.source_ids) for request in list(self._waiting))

    @property
    def oldest(self) -> Request | None:
        """Return the request that has waited longest."""
        return next(iter(self._waiting), None)

    @property
    def busy(self) -> bool:
        """Tell whether a step would do anything; a row that has left still has to be cleared away."""
        return bool(self._waiting) or any(self._loads)

    def has_work(self, shard: int) -> bool:
        """Tell whether a step of a shard would do anything."""
        return bool(self._loads[shard]) or (bool(self._waiting) and self._takes(shard, next(iter(self._waiting))))

    def lane_of(self, request: Request) -> Lane:
        """Return the lane of a request; its source is known to fit the longest."""
        length = len(request.source_ids)
        return Lane.of(next(bucket for bucket in self.source_lengths if bucket >= length), request.options)

    def submit(self, request: Request) -> None:
        """Put a request into the waiting line.

        Raises:
            QueueFull: the line has reached its limit.
        """
        if len(self._waiting) >= self.queue_limit:
            raise QueueFull(
                f"{len(self._waiting)} requests are waiting, the limit is {self.queue_limit}: try again later"
            )
        request.lane = self.lane_of(request)
        self._waiting[request] = None

    def cancel(self, request: Request) -> bool:
        """Take a request out, wherever it is; returns whether it was still alive."""
        if request.status is Status.FINISHED:
            return False
        if request.status is Status.WAITING:
            self._waiting.pop(request, None)
        else:
            assert request.lane is not None
            self._lanes[request.lane].leaving.add(request.row)
        request.status = Status.FINISHED
        return True

    def schedule(self, shard: int = 0) -> Plan:
        """Close the gaps of rows that left a shard, and fill its free slots from the line."""
        compactions, released = [], []
        for lane, rows in self._lanes.items():
            if rows.leaving and lane.shard == shard:
                released += [r for r in (rows.requests[row] for row in rows.leaving) if r.cancelled_at]
                self._loads[shard] -= lane.width * len(rows.leaving)
                compactions.append(_close_gaps(lane, rows))
        return Plan(compactions, self._admit(shard), released)

    def _admit(self, shard: int) -> list[Request]:
        """Take the first of the line into lanes of a shard, until one is for another: nobody is overtaken."""
        joining = []
        for request in self._waiting:
            if not self._takes(shard, request):
                break
            assert request.lane is not None
            request.lane = request.lane._replace(shard=shard)
            rows = self._lanes.setdefault(request.lane, _Rows())
            request.status, request.row = Status.RUNNING, len(rows.requests)
            rows.requests.append(request)
            self._loads[shard] += request.lane.width
            joining.append(request)
        for request in joining:
            del self._waiting[request]
        return joining

    def _takes(self, shard: int, request: Request) -> bool:
        """Tell whether there are slots for a request, and none of the other shards is emptier."""
        assert request.lane is not None
        return sum(self._loads) + request.lane.width <= self.slots and self._loads[shard] == min(self._loads)

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
        alive = list(self._waiting)
        for rows in self._lanes.values():
            alive += [request for row, request in enumerate(rows.requests) if row not in rows.leaving]
        self._waiting.clear()
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
    return Compaction(lane, into, taken, size)
