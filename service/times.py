"""Where the time of a translation went: one set of figures for its reply, the metrics, the access log and its trace."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.request import Request

STAGES = ("tokenize", "queue", "encode", "decode", "detokenize")


@dataclass(frozen=True)
class Times:
    """Hold the seconds of a translation, from its arrival."""

    total: float
    first_token: float
    stages: dict[str, float]  # by the names in STAGES; what is missing of the total is hand-over between threads


def times_of(requests: Sequence[Request], arrived_at: float, rendering_at: float, now: float) -> Times:
    """Divide the time of a translation, which took these requests; of several, the one that ended last counts.

    All moments are monotonic seconds: when it arrived, when its text began to be made, and now that the reply is there.
    """
    last = max(requests, key=lambda request: request.finished_at)
    stages = {
        "tokenize": last.submitted_at - arrived_at,
        "queue": last.taken_at - last.submitted_at + last.joined_at - last.encoded_at,
        "encode": last.encoded_at - last.taken_at,
        "decode": last.finished_at - last.joined_at,
        "detokenize": now - rendering_at,
    }
    return Times(now - arrived_at, requests[0].first_token_at - arrived_at, stages)
