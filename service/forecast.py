"""Who would be done in time: what is promised to a request before it waits."""

from collections.abc import Iterable

from service.errors import DeadlineExceeded, DeadlineUnmeetable
from service.pace import Pace
from service.request import Request
from service.stretch import Stretch

# Of the time in line: some steps take longer than the last ones did. A line that is shorter for it costs nothing, as
# long as somebody waits. A request's own steps have a margin in their number.
MARGIN = 1.5


class Forecast:
    """Expect when requests begin and end, from the work of all and the pace of the last ones; work is in steps."""

    def __init__(self, slots: int, pace: Pace) -> None:
        """Begin with nobody."""
        self._slots, self._pace = slots, pace
        self._running_work = 0  # of those in slots, from their beginnings

    def began(self, request: Request) -> None:
        """Note that a request has its slots."""
        self._running_work += request.work

    def ended(self, request: Request) -> None:
        """Note that a request has left its slots, and learn from it."""
        self._running_work -= request.work
        if request.steps:
            self._pace.ended(request)

    def wait(self, ahead: int) -> float:
        """Return after how many seconds a slot is free, if so much work has to begin before; slots are half done."""
        return (ahead + self._running_work / 2 / self._slots) / self._slots * self._pace.step_seconds

    def check(self, request: Request, ahead: int, behind: Iterable[Stretch], now: float) -> None:
        """Refuse who would be done too late, and who would make another late, by passing it.

        Raises:
            DeadlineUnmeetable: that is so.
        """
        longest = self._longest(len(request.source_ids), request.options.max_length)
        if self._late_by(request.deadline, longest, ahead, now) > 0:
            takes = f"would begin in about {self.wait(ahead):.3f} s and take up to {longest:.3f} s"
            why = f"{takes}, too late for its deadline in {request.deadline - now:.3f} s"
            raise DeadlineUnmeetable(f"{why}: allow more time, or use another replica")
        delay = MARGIN * request.work / self._slots * self._pace.step_seconds
        ahead += request.work
        for stretch in behind:
            # As if who takes longest came last and were due first: nobody in it is later than that, rounded or not.
            longest = self._longest(stretch.pieces, stretch.max_length)
            if self._late_by(stretch.deadline, longest, ahead + stretch.work, now) > 0:
                self._check_each(stretch.requests, ahead, delay, now)
            ahead += stretch.work

    def _check_each(self, behind: Iterable[Request], ahead: int, delay: float, now: float) -> None:
        for other in behind:
            longest = self._longest(len(other.source_ids), other.options.max_length)
            if 0 < self._late_by(other.deadline, longest, ahead, now) <= delay:
                why = "would be done before others who came earlier, and make them late: allow more time"
                raise DeadlineUnmeetable(f"{why}, or use another replica")
            ahead += other.work

    def _late_by(self, deadline: float, longest: float, ahead: int, now: float) -> float:
        """Return by how many seconds a deadline is missed if so much work is done before who takes that long begins."""
        return now + MARGIN * self.wait(ahead) + longest - deadline

    def _longest(self, pieces: int, max_length: int) -> float:
        """Return how many seconds requests take at most, but for a few."""
        return self._pace.most_steps(pieces, max_length) * self._pace.step_seconds


def check_time_left(request: Request, now: float) -> None:
    """Refuse who has no time left.

    Raises:
        DeadlineExceeded: that is so.
    """
    if request.deadline <= now:
        raise DeadlineExceeded("the deadline of the call has passed already: allow more time")
