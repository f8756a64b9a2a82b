"""Where the time of a translation went: one set of figures for its reply, the metrics, the access log and its trace."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.request import Request

STAGES = ("tokenize", "queue", "encode", "decode", "detokenize")


@dataclass(frozen=True)
class Times:
    """Hold the seconds of a translation, from its arrival."""

    total: float
    first_token: float
    stages: dict[str, float]  # by the names in STAGES; the rest is hand-over, and waiting to be told with others


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


def intervals_of(requests: Sequence[Request], times: Times, arrived_at: float) -> Iterator[tuple[str, float, float]]:
    """Yield each stage with its beginning and end in monotonic seconds; who waits twice has `queue` twice."""
    last = max(requests, key=lambda request: request.finished_at)
    done = arrived_at + times.total
    yield "tokenize", arrived_at, last.submitted_at
    yield "queue", last.submitted_at, last.taken_at
    yield "encode", last.taken_at, last.encoded_at
    if last.joined_at > last.encoded_at:
        yield "queue", last.encoded_at, last.joined_at
    yield "decode", last.joined_at, last.finished_at
    yield "detokenize", done - times.stages["detokenize"], done
