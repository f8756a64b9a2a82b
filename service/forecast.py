"""Who would be done in time: what is promised to a request before it waits."""

from collections.abc import Sequence

from service.errors import DeadlineExceeded, DeadlineUnmeetable
from service.pace import Pace
from service.request import Request

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

    def check(self, request: Request, ahead: int, behind: Sequence[Request], now: float) -> None:
        """Refuse who would be done too late, and who would make another late, by passing it.

        Raises:
            DeadlineUnmeetable: that is so.
        """
        if self._late_by(request, ahead, now) > 0:
            takes = f"would begin in about {self.wait(ahead):.3f} s and take up to {self._longest(request):.3f} s"
            why = f"{takes}, too late for its deadline in {request.deadline - now:.3f} s"
            raise DeadlineUnmeetable(f"{why}: allow more time, or use another replica")
        delay = MARGIN * request.work / self._slots * self._pace.step_seconds
        for other in behind:
            if 0 < self._late_by(other, ahead + request.work, now) <= delay:
                why = "would be done before others who came earlier, and make them late: allow more time"
                raise DeadlineUnmeetable(f"{why}, or use another replica")
            ahead += other.work

    def _late_by(self, request: Request, ahead: int, now: float) -> float:
        """Return by how many seconds a request misses its deadline if so much work is done before it begins."""
        return now + MARGIN * self.wait(ahead) + self._longest(request) - request.deadline

    def _longest(self, request: Request) -> float:
        """Return how many seconds a request takes at most, but for a few."""
        return self._pace.most_steps(request) * self._pace.step_seconds


def check_time_left(request: Request, now: float) -> None:
    """Refuse who has no time left.

    Raises:
        DeadlineExceeded: that is so.
    """
    if request.deadline <= now:
        raise DeadlineExceeded("the deadline of the call has passed already: allow more time")
