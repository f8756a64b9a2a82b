"""How long requests take: steps, as learned from the lengths of those that are done, and the seconds of a step."""

import math

from service.request import Request

STEPS, REQUESTS = 32, 256  # over which is averaged; the latest count most
FEW = 3.0  # standard deviations above the mean, which few requests exceed


class Pace:
    """Expect of a request what the last ones took."""

    def __init__(self, step_seconds: float = 0.003) -> None:
        """Begin with a guess of a step's time; a target is at first expected to be as long as its source."""
        self.step_seconds = step_seconds
        self._ratio, self._variance = 1.0, 0.04  # of steps to source pieces, the end symbol counted on both sides

    def stepped(self, seconds: float) -> None:
        """Learn from a step, from its beginning to that of the next."""
        self.step_seconds += (seconds - self.step_seconds) / STEPS

    def ended(self, request: Request) -> None:
        """Learn from a request that was decoded to its end."""
        off = request.steps / (len(request.source_ids) + 1) - self._ratio
        self._ratio += off / REQUESTS
        self._variance += (off * off - self._variance) / REQUESTS

    def steps(self, request: Request) -> int:
        """Return how many steps a request is expected to take."""
        return self._bounded(request, self._ratio)

    def most_steps(self, request: Request) -> int:
        """Return how many steps a request takes at most, but for a few."""
        return self._bounded(request, self._ratio + FEW * math.sqrt(self._variance))

    def _bounded(self, request: Request, ratio: float) -> int:
        return min(math.ceil(ratio * (len(request.source_ids) + 1)), request.options.max_length + 1)
