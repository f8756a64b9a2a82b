"""Whether a call ended because its time was over."""

import math

NEAR = 0.02  # seconds: a client's hanging up at its deadline may be heard before ours has passed
ROUNDED = 0.01  # of the whole time: gRPC tells a deadline in so few digits, rounded up


def is_over(deadline: float, began: float, now: float) -> bool:
    """Tell whether who hung up did so at its deadline; all are monotonic seconds, and a deadline may be infinite."""
    return deadline < math.inf and deadline - now <= max(NEAR, ROUNDED * (deadline - began))
