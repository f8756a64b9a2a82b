"""Which search a lane is decoded by."""

from service.request import Lane
from service.search.beam import Beam
from service.search.greedy import Greedy
from service.search.independent import Independent
from service.search.search import Search, Symbols

KINDS: dict[str, type[Search]] = {"greedy": Greedy, "beam": Beam, "independent": Independent}


def make_search(lane: Lane, symbols: Symbols, longest: int) -> Search:
    """Make the search of a lane, for targets of up to `longest` pieces."""
    constrained, scored = lane.graph == "step_full", lane.graph != "step_greedy"
    return KINDS[lane.search](symbols, lane.width, longest, constrained, scored)
