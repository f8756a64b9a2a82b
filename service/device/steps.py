"""The decoder graphs of a device, bound to racks: what they read and write, and what the host gets of it."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy
import onnxruntime

from service.device.bound import WITHOUT_GRAPH, Bound, Place
from service.device.lane import DeviceLane
from service.device.memory import Array, Memory
from service.device.rack import Block, Phase, Rack
from service.errors import BundleError
from service.manifest import Manifest
from service.parts import Graph, Tensor
from service.request import Arrays

log = logging.getLogger("service.device")
Open = Callable[[Graph, bool], onnxruntime.InferenceSession]  # a graph, and whether its runs are to be captured
SELECTING = {"greedy": "step_select", "beam": "step_beam"}  # graphs that choose, by how the host searches
ROLES = ("step", "step_full", *SELECTING.values())
CHOSEN = {"next_ids": "ids", "next_parents": "parents", "next_totals": "totals"}  # what a phase holds of outputs
READ = {  # what the host reads of a step
    "step": ("candidate_ids", "candidate_log_probabilities"),
    "step_beam": ("candidate_ids", "candidate_log_probabilities"),
    "step_full": ("log_probabilities",),
    "step_select": ("next_ids",),
}


class Steps:
    """Run decoder graphs by role; each is bound once for every rack, number of rows and phase."""

    def __init__(
        self,
        manifest: Manifest,
        graphs: Mapping[str, Graph],
        open_graph: Open,
        memory: Memory,
        tables: "Tables",
        slots: int,
        longest: int,
        captures: bool,
    ) -> None:
        """Load `graphs` by role, to run up to `slots` hypotheses for sources of up to `longest` pieces."""
        self.sessions = {}
        self.captured = dict.fromkeys(graphs, 0)  # graphs that the device captured, for each role that it can
        for role, graph in graphs.items():
            try:
                self.sessions[role] = open_graph(graph, captures)
            except BundleError as error:
                if not captures:
                    raise
                log.warning(
                    "steps of %s are launched one operator at a time, as they cannot be captured: %s", role, error
                )
                self.sessions[role] = open_graph(graph, False)
                del self.captured[role]
        if not captures:
            self.captured.clear()
        self._graphs, self._memory, self._tables = graphs, memory, tables
        self._slots = slots
        self._sizes = {"C": manifest.candidates, "V": manifest.vocabulary.size, "S": longest}
        self._given: dict[str, Block] = {}  # what the host reads of a step, unless it lies in a phase
        self._staged: dict[tuple[str, int], Array] = {}

    def __contains__(self, role: str) -> bool:
        """Tell whether there is a graph of a role."""
        return role in self.sessions

    def run(self, role: str, rack: Rack, phase: int, rows: int, width: int, alignment: bool) -> None:
        """Run a graph on the first rows of a rack, which have `width` hypotheses each."""
        key = role, phase, rows, width, alignment
        bound = rack.bound.get(key)
        if bound is None:
            bound = rack.bound[key] = self._bind(*key, rack)
        bound.run()

    def _bind(self, role: str, phase: int, rows: int, width: int, alignment: bool, rack: Rack) -> Bound:
        assert rows * width <= self._slots  # what the host reads has room for no more
        number = WITHOUT_GRAPH
        if rack.captures and role in self.captured:
            number = self.captured[role]
            self.captured[role] += 1
        graph, reads, writes = self._graphs[role], rack.phases[phase], rack.phases[1 - phase]
        axes = {**self._sizes, "B": rows, "W": width, "S": rack.length}
        inputs = [self._place(tensor, axes, rack, reads, width) for tensor in graph.inputs]
        outputs = [
            Place(tensor.name, numpy.dtype(tensor.type), _shape(tensor, axes), self._output(tensor, writes).address)
            for tensor in graph.outputs
            if alignment or tensor.name != "alignment"
        ]
        return Bound(self.sessions[role], self._memory, inputs, outputs, number)

    def _place(self, tensor: Tensor, axes: Mapping[str, int], rack: Rack, reads: Phase, width: int) -> Place:
        """Say where an input lies."""
        kind = numpy.dtype(tensor.type)
        if "V" in tensor.shape or tensor.name in self._tables.names:
            return self._tables.place(tensor)
        # Where each hypothesis is alone, nobody has another parent.
        parents = reads.parents if width > 1 else rack.origin
        here = {"previous_ids": reads.ids, "parents": parents, "totals": reads.totals, "source_lengths": rack.lengths}
        block = (here | reads.state | rack.remembered)[tensor.name]
        return Place(tensor.name, kind, _shape(tensor, axes), block.address)

    def _output(self, tensor: Tensor, writes: Phase) -> Block:
        """Return where an output goes; what only the host reads lies in one place for all, as it is read at once."""
        if tensor.name in CHOSEN:
            block: Block = getattr(writes, CHOSEN[tensor.name])
            return block
        state = writes.state.get(tensor.name.removeprefix("next_"))
        if state is not None:
            return state
        if tensor.name not in self._given:
            count = math.prod(self._sizes[size] if isinstance(size, str) else size for size in tensor.shape[2:])
            kind = numpy.dtype(tensor.type)
            address = self._memory.allocate(self._slots * count * kind.itemsize)
            self._given[tensor.name] = Block(address, kind, count)
        return self._given[tensor.name]

    def fetch(self, role: str, lane: DeviceLane, alignment: bool, number: int) -> Arrays:
        """Have what the host reads of a step copied, (B, W, *) by name; it is there once the memory was waited for.

        It stays until as many steps later have the same `number`.
        """
        names = (*READ[role], "alignment") if alignment else READ[role]
        found: Arrays = {}
        for tensor in self._graphs[role].outputs:
            if tensor.name in names:
                block = self._output(tensor, lane.writes)
                count = lane.rack.length if tensor.name == "alignment" else block.count
                staged = self._staging(tensor.name, block, number)[: lane.rows * lane.width * count]
                self._memory.download(staged, block.address)
                found[tensor.name] = staged.reshape(lane.rows, lane.width, *((count,) if len(tensor.shape) > 2 else ()))
        return found

    def fetch_state(self, lane: DeviceLane, first: int) -> Array:
        """Have the state (N, *) copied that the last step left of each hypothesis from row `first` on, as `fetch` does.

        Of several it is the last, which follows from all others, and from the memory if any state reads the context.
        """
        name, block = list(lane.reads.state.items())[-1]
        count = (lane.rows - first) * lane.width
        staged = self._staging(name, block, 0)[: count * block.count]
        self._memory.download(staged, block.at(first * lane.width))
        return staged.reshape(count, block.count)

    def _staging(self, name: str, block: Block, number: int) -> Array:
        if (name, number) not in self._staged:
            self._staged[name, number] = self._memory.staging(self._slots * block.count, block.dtype)
        return self._staged[name, number]


class Tables:
    """Hold a bundle's tables on the device, in every type that a graph reads."""

    def __init__(self, memory: Memory, tables: Arrays, graphs: Iterable[Graph]) -> None:
        """Copy tables (V, *) there."""
        self.names = tables.keys()
        self._places: dict[tuple[str, str], Place] = {}
        for tensor in (tensor for graph in graphs for tensor in graph.inputs if tensor.name in tables):
            if (tensor.name, tensor.type) not in self._places:
                table = numpy.ascontiguousarray(tables[tensor.name], tensor.type)
                address = memory.allocate(table.nbytes)
                memory.upload(address, table)
                self._places[tensor.name, tensor.type] = Place(tensor.name, table.dtype, table.shape, address)
        memory.wait()

    def place(self, tensor: Tensor) -> Place:
        """Say where a graph finds a table."""
        return self._places[tensor.name, tensor.type]

    def read_by(self, graph: Graph) -> Iterator[Place]:
        """Say where a graph finds each table that it reads."""
        return (self.place(tensor) for tensor in graph.inputs if tensor.name in self.names)


def _shape(tensor: Tensor, axes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(axes[size] if isinstance(size, str) else size for size in tensor.shape)
