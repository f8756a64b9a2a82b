"""What each client may ask for: a token bucket of source pieces for every client key."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from service.errors import ClientLimit, quoted

BURST_SECONDS = 10.0  # of its rate that a client may use at once, if it was idle before
CLIENTS = 10_000  # that are remembered; one that was silent longest is taken for new


@dataclass(slots=True)
class _Bucket:
    pieces: float
    filled_at: float


class Shares:
    """Let every client use so many source pieces a second; who has any left may go into debt, and then waits."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Set the rate in source pieces a second; 0 bounds nobody."""
        self._rate, self._clock = rate, clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, client: str, pieces: int) -> None:
        """Take the pieces of a request from what its client has left.

        Raises:
            ClientLimit: nothing is left; tells when there is something again.
        """
        if not self._rate:
            return
        now, most = self._clock(), self._rate * BURST_SECONDS
        bucket = self._buckets.setdefault(client, _Bucket(most, now))
        self._buckets.move_to_end(client)
        if len(self._buckets) > CLIENTS:
            self._buckets.popitem(last=False)
        bucket.pieces = min(most, bucket.pieces + self._rate * (now - bucket.filled_at))
        bucket.filled_at = now
        if bucket.pieces <= 0:
            who = f"client {quoted(client)}" if client else "who sends no seq2serve-client"
            why = f"{who} has used its {self._rate:g} source pieces a second: wait, or send less"
            raise ClientLimit(why, retry_after=1 / self._rate - bucket.pieces / self._rate)
        bucket.pieces -= pieces

    def __len__(self) -> int:
        """Count the clients that are remembered."""
        return len(self._buckets)
