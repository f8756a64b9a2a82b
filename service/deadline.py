"""When a request is due, and whether a call ended because its time was over."""

import math

PATIENCE = 30.0  # seconds after which a request is treated as due, whatever its deadline
PRIORITY_SECONDS = 10.0  # of waiting that one step of priority is worth
NEAR = 0.02  # seconds: a client's hanging up at its deadline may be heard before ours has passed
ROUNDED = 0.01  # of the whole time: gRPC tells a deadline in so few digits, rounded up


def due(deadline: float, priority: int, now: float) -> float:
    """Return when a request that comes now is due, by which its turn is decided; all in monotonic seconds."""
    return min(deadline, now + PATIENCE) - PRIORITY_SECONDS * priority


def is_over(deadline: float, began: float, now: float) -> bool:
    """Tell whether who hung up did so at its deadline; all are monotonic seconds, and a deadline may be infinite."""
    return deadline < math.inf and deadline - now <= max(NEAR, ROUNDED * (deadline - began))
