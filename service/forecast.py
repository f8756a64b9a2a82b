"""Who would be done in time: what is promised to a request before it waits."""

from collections.abc import Sequence

from service.errors import DeadlineExceeded, DeadlineUnmeetable
from service.pace import Pace
from service.request import Request

# Of what is expected: some steps take longer than the last ones did. A line that is shorter for it costs nothing, as
# long as somebody waits.
MARGIN = 1.25


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
            seconds, left = self.wait(ahead), request.deadline - now
            why = f"would begin in about {seconds:.3f} s, too late for its deadline in {left:.3f} s: allow more time"
            raise DeadlineUnmeetable(f"{why}, or use another replica")
        delay = MARGIN * request.work / self._slots * self._pace.step_seconds
        for other in behind:
            if 0 < self._late_by(other, ahead + request.work, now) <= delay:
                why = "would be done before others who came earlier, and make them late: allow more time"
                raise DeadlineUnmeetable(f"{why}, or use another replica")
            ahead += other.work

    def _late_by(self, request: Request, ahead: int, now: float) -> float:
        """Return by how many seconds a request misses its deadline if so much work is done before it begins."""
        seconds = self.wait(ahead) + self._pace.most_steps(request) * self._pace.step_seconds
        return now + MARGIN * seconds - request.deadline


def check_time_left(request: Request, now: float) -> None:
    """Refuse who has no time left.

    Raises:
        DeadlineExceeded: that is so.
    """
    if request.deadline <= now:
        raise DeadlineExceeded("the deadline of the call has passed already: allow more time")
