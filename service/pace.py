"""How long requests take: steps, as learned from the lengths of those that are done, and the seconds of a step."""

import math

from service.request import Request
from service.search.hypothesis import FinishReason

STEPS, REQUESTS, RECENT = 256, 256, 32  # over which is averaged; the latest count most
FEW = 3.0  # standard deviations above the mean, which few requests exceed
DOUBT = 4.0  # squared hypotheses: how much steps must differ in load before their times are believed to show its price


class Pace:
    """Expect of a request what the last ones took."""

    def __init__(self, full: float, step_seconds: float = 0.003) -> None:
        """Begin with a guess of a step's time; a target is at first expected to be as long as its source.

        A step that is waited for has `full` hypotheses. What such a step takes is learned from those with fewer, too:
        else the first to come would be promised what an idle server can do.
        """
        self._full = full
        self.expect(step_seconds)
        self._ratio, self._ratio_variance = 1.0, 0.04  # of steps to source pieces, the end symbol counted on both sides

    def expect(self, step_seconds: float) -> None:
        """Forget what steps took, and expect a full one to take so long."""
        self.step_seconds = step_seconds
        self.recent_seconds = step_seconds  # of the last steps, as full as they were
        self._load, self._seconds = self._full, step_seconds  # means, from which the following are deviations
        self._variance = self._covariance = 0.0

    def stepped(self, seconds: float, load: int) -> None:
        """Learn from a step of so many hypotheses, from its beginning to that of the next.

        Seconds are a straight line over load, by least squares. Until loads have differed, its slope is a guess by
        which a full step takes twice as long as one with a single hypothesis.
        """
        self.recent_seconds += (seconds - self.recent_seconds) / RECENT
        off, more = seconds - self._seconds, load - self._load
        self._seconds += off / STEPS
        self._load += more / STEPS
        self._variance += (more * more - self._variance) / STEPS
        self._covariance += (off * more - self._covariance) / STEPS
        assumed = self._seconds / (self._load + self._full)
        slope = max(0.0, (self._covariance + DOUBT * assumed) / (self._variance + DOUBT))
        self.step_seconds = self._seconds + slope * max(0.0, self._full - self._load)

    def ended(self, request: Request) -> None:
        """Learn from a request that was decoded to its end, if the model chose where that is.

        A target that was given may be hundreds of times as long as its source, and the deviation would be that of one.
        """
        if request.options.has_least_length or request.finish_reason is FinishReason.LENGTH:
            return
        off = request.steps / (len(request.source_ids) + 1) - self._ratio
        self._ratio += off / REQUESTS
        self._ratio_variance += (off * off - self._ratio_variance) / REQUESTS

    def steps(self, request: Request) -> int:
        """Return how many steps a request is expected to take."""
        return _bounded(len(request.source_ids), request.options.max_length, self._ratio)

    def most_steps(self, pieces: int, max_length: int) -> int:
        """Return how many steps requests take at most, but for a few; no fewer for more pieces, or a greater length."""
        return _bounded(pieces, max_length, self._ratio + FEW * math.sqrt(self._ratio_variance))


def _bounded(pieces: int, max_length: int, ratio: float) -> int:
    return min(math.ceil(ratio * (pieces + 1)), max_length + 1)
