"""Graphs bound to addresses, so that a step only says: again."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy
import onnxruntime

from service.device.memory import Memory

WITHOUT_GRAPH = -1  # as ONNX Runtime calls a run that is neither captured nor replayed


class Place(NamedTuple):
    """Say where a tensor lies."""

    name: str
    dtype: numpy.dtype
    shape: tuple[int, ...]
    address: int


class Bound:
    """Run a session's graph on tensors that never move.

    Where the device captures what a run launches, the first run does so, and later ones replay it.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        memory: Memory,
        inputs: Iterable[Place],
        outputs: Iterable[Place],
        number: int = WITHOUT_GRAPH,
    ) -> None:
        """Bind; `number` is that of the captured graph, another one for each binding of a session."""
        self._session = session
        self._binding = session.io_binding()
        where = memory.kind, memory.number
        for place in inputs:
            self._binding.bind_input(place.name, *where, place.dtype, place.shape, place.address)
        for place in outputs:
            self._binding.bind_output(place.name, *where, place.dtype, place.shape, place.address)
        self._options = run_options(number)
        self._replays = run_options(number, waits=number == WITHOUT_GRAPH)

    def run(self) -> None:
        """Run the graph; a captured one is launched, and nobody waits for what it gives."""
        self._session.run_with_iobinding(self._binding, self._options)
        self._options = self._replays


def run_options(number: int = WITHOUT_GRAPH, waits: bool = True) -> onnxruntime.RunOptions:
    """Make the options of runs that wait for the device, or end before it has done what they say.

    Only replays of captured graphs may end before: after other runs that nobody waits for, ONNX Runtime keeps the host
    memory that kernels were handed, run by run, and aborts the process when the session goes.
    """
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(number))
    options.add_run_config_entry("disable_synchronize_execution_providers", str(int(not waits)))
    return options


def numbers_of_rows(slots: int) -> Sequence[int]:
    """List the numbers of rows that graphs are bound for: powers of two, and all."""
    return [*(1 << power for power in range((slots - 1).bit_length())), slots]


def rows_to_run(rows: int, most: int) -> int:
    """Return the least of these numbers that is enough for some rows."""
    return min(most, 1 << (rows - 1).bit_length())
