"""How many replicas the load of this one is worth: the one number that an autoscaler reads."""

import math

BUSY = 0.75  # of the slots, so that a burst finds some
SECONDS = 10.0  # over which is averaged, as a load of a moment is no reason to start a server


class Demand:
    """Average what the engines have to do; the sum over all replicas, rounded up, is how many there should be."""

    def __init__(self) -> None:
        """Begin without load."""
        self.replicas = 0.0

    def observe(self, loads: list[float], seconds: float) -> None:
        """Learn the load of each engine, in times its slots, that has lasted for some seconds.

        Every replica serves all models, so the busiest counts.
        """
        wanted = max(loads, default=0.0) / BUSY
        self.replicas += (wanted - self.replicas) * -math.expm1(-seconds / SECONDS)
