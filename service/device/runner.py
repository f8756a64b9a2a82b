"""The compute on a device: a step reads and writes slots that never leave it, and tells the host what was chosen."""

import logging
import time
from collections.abc import Sequence
from statistics import median

import numpy
import onnxruntime
from numpy.typing import NDArray

from service.bundle import Bundle
from service.device.bound import numbers_of_rows, rows_to_run, run_options
from service.device.lane import DeviceLane
from service.device.memory import Memory
from service.device.shelf import Shelf
from service.device.state import DeviceState
from service.device.steps import ROLES, SELECTING, Open, Steps, Tables
from service.padding import ALIGNMENT, pad_sources
from service.request import Arrays, Encoded, Lane
from service.runner import make_tables
from service.search.candidates import Choice, Step

log = logging.getLogger("service.device")
PROBES, PROBED_ROWS = 5, 64
AHEAD = 4  # steps: a row that ends in the first of them wastes three, and who comes meanwhile waits for three


class DeviceRunner:
    """Run a bundle's graphs on a device, where the slots lie.

    Of a step the host gets what it asked for: in greedy search an id of each row. It tells the device what it chose
    where it chooses, or where rows have joined or left; else the device goes on by itself.
    """

    ahead = AHEAD
    encoder_rows = 64
    replaces = False  # rows that begin are looked at together, behind all others
    together = False  # there is one thread

    def __init__(
        self,
        bundle: Bundle,
        precision: str,
        memory: Memory,
        open_graph: Open,
        slots: int,
        source_lengths: Sequence[int],
        captures: bool,
    ) -> None:
        """Load the graphs of a precision, and take the memory of all slots.

        `captures`: whether the device captures what a step launches, to launch it at once the next time.

        Raises:
            StartupError: a graph does not load, does not fit the manifest, or does not run on the device.
            DeviceFull: the slots need more memory than there is.
        """
        manifest = bundle.manifest
        self.memory, self._slots, self._captures = memory, slots, captures
        self._pad = manifest.special_ids.pad
        graphs = {role: manifest.graph(role, precision) for role in ROLES if manifest.has(role, precision)}
        read = {tensor.name: tensor for tensor in graphs["step"].inputs}
        self._remembered = [tensor.name for tensor in manifest.memory]
        self._state = [tensor.name for tensor in manifest.state]
        tensors = [read[name] for name in self._remembered], [read[name] for name in self._state]
        self._shelf = Shelf(memory, slots, source_lengths, *tensors)
        recurrent = manifest.has("encoder_sequence", precision)
        self._encoding = manifest.graph("encoder_sequence" if recurrent else "encoder", precision)
        self._encoder = open_graph(self._encoding, False)  # neither loops nor recurrent operators can be captured
        maker = open_graph(manifest.graph("tables"), False) if manifest.tables else None
        self._tables = Tables(memory, make_tables(manifest, maker), (self._encoding, *graphs.values()))
        longest = max(source_lengths)
        self._steps = Steps(manifest, graphs, open_graph, memory, self._tables, slots, longest, captures)
        for role in SELECTING.values():
            if role not in self._steps:
                log.warning("%s: no graph has the role %s, so the host chooses; export it again", bundle.path, role)
        self._told = [memory.staging(slots, numpy.dtype(kind)) for kind in ("int64", "int64", "float64")]
        self._uncaptured = run_options()
        self._probed, self.probe_seconds = rows_to_run(min(PROBED_ROWS, slots), slots), 0.0
        self._lanes: dict[Lane, DeviceLane] = {}

    @property
    def sessions(self) -> list[onnxruntime.InferenceSession]:
        """List the sessions of all graphs."""
        return [self._encoder, *self._steps.sessions.values()]

    @property
    def state(self) -> DeviceState:
        """Return what is where on the device.

        ONNX Runtime captures no graph that has a copy inside, so where all were captured there is none.
        """
        whole = self._steps.captured.keys() == self._steps.sessions.keys()
        return DeviceState(
            slot_bytes=self._shelf.bytes,
            left_bytes=self.memory.left(),
            captured=sum(self._steps.captured.values()),
            memcpy_nodes=0 if whole else None,
            probe_seconds=self.probe_seconds,
            uploaded_bytes=self.memory.uploaded,
            downloaded_bytes=self.memory.downloaded,
        )

    def describe(self) -> str:
        """Say what is where, for a log."""
        state = self.state
        return (
            f"{self._slots} slots take {state.slot_bytes >> 20} MiB of the device's memory, {state.left_bytes >> 20} "
            f"MiB are left; {state.captured} graphs captured; a step of {self._probed} rows takes "
            f"{state.probe_seconds * 1e6:.0f} us"
        )

    def begin(self) -> None:
        """Use the device from this thread, and capture the steps of plain greedy search for all numbers of rows.

        What ran before, for whoever proved the model, was not captured: ONNX Runtime replays a graph only in the thread
        that captured it.
        """
        self.memory.attach()
        role = "step_select" if "step_select" in self._steps else "step"
        for rack in self._shelf.first if self._captures else []:
            rack.capture()
            for rows in numbers_of_rows(self._slots):
                for phase in range(2):
                    self._steps.run(role, rack, phase, rows, 1, False)
        self.memory.wait()
        self.probe_seconds = self._probe(role)

    def _probe(self, role: str) -> float:
        """Return the seconds of a step, the median of several: what says, beside its name, that this is a GPU."""
        taken = []
        for _ in range(PROBES):
            started = time.perf_counter()
            self._steps.run(role, self._shelf.first[0], 0, self._probed, 1, False)
            self.memory.wait()
            taken.append(time.perf_counter() - started)
        return median(taken)

    def encode(self, sources: Sequence[NDArray[numpy.int64]]) -> Encoded:
        """Encode sources (S_i,) in one batch, padded to a multiple of 8; what it gives stays on the device.

        Raises:
            DeviceLost: it failed, and so would whatever came after it.
        """
        try:
            return self._encode(sources)
        except Exception:
            self._notice()
            raise

    def _notice(self) -> None:
        """See whether what failed has taken the device along: ONNX Runtime's errors do not tell."""
        self.memory.wait()

    def _encode(self, sources: Sequence[NDArray[numpy.int64]]) -> Encoded:
        padded, lengths = pad_sources(sources, self._pad, ALIGNMENT)
        binding = self._encoder.io_binding()
        binding.bind_cpu_input("source_ids", padded)
        binding.bind_cpu_input("source_lengths", lengths)
        where = self.memory.kind, self.memory.number
        for place in self._tables.read_by(self._encoding):
            binding.bind_input(place.name, *where, place.dtype, place.shape, place.address)
        names = self._remembered + self._state
        for name in names:
            binding.bind_output(name, *where)
        self._encoder.run_with_iobinding(binding, self._uncaptured)
        values = dict(zip(names, binding.get_outputs(), strict=True))
        return Encoded({n: values[n] for n in self._state}, {n: values[n] for n in self._remembered}, lengths)

    def admit(self, lane: Lane, encoded: Encoded, chosen: Sequence[int], rows: Sequence[int]) -> None:
        """Write the chosen rows of an encoder batch into `rows`, which are the next ones of a lane.

        Raises:
            DeviceFull: there is no memory for another lane.
        """
        if lane not in self._lanes:
            self._lanes[lane] = DeviceLane(self._shelf, lane.source_length, lane.width)
        self._lanes[lane].admit(encoded, chosen)

    def compact(self, lane: Lane, into: Sequence[int], taken: Sequence[int], rows: int) -> None:
        """Close the gaps of a lane."""
        if lane in self._lanes:
            self._lanes[lane].compact(into, taken, rows)

    def release(self, lane: Lane) -> None:
        """Forget a lane."""
        if lane in self._lanes:
            self._lanes.pop(lane).leave()

    def step(self, lane: Lane, choice: Choice, alignment: bool, ahead: int = 1) -> Sequence[Step]:
        """Advance all rows of a lane by one piece, or by up to `ahead` where the device may choose; then wait once.

        Raises:
            ArithmeticError: the model gave no numbers to a row that begins.
            DeviceLost: it failed, and so would whatever came after it.
        """
        try:
            return self._step(lane, choice, alignment, ahead)
        except Exception:
            self._notice()
            raise

    def _step(self, lane: Lane, choice: Choice, alignment: bool, ahead: int) -> Sequence[Step]:
        on, role = self._lanes[lane], self._role(lane, choice)
        chooses = role in SELECTING.values()
        rows = rows_to_run(on.rows, min(self._slots, on.rack.slots) // on.width)
        if not (chooses and on.told):
            self._tell(on, choice, rows)
        on.told = chooses
        begun = on.begun
        found: list[Arrays] = []
        for number in range(ahead if chooses else 1):
            self._steps.run(role, on.rack, on.phase, rows, on.width, alignment)
            found.append(self._steps.fetch(role, on, alignment, number))
            on.stepped()
        # Ids do not tell that there were no numbers. Of who began that is looked at, as joining costs several copies
        # anyway; one more for each step would be dear.
        first = self._steps.fetch_state(on, begun) if role == "step_select" and begun < on.rows else None
        self.memory.wait()
        if first is not None and numpy.isnan(first[:, 0]).any():  # of one that is none, a step makes all of a row so
            raise ArithmeticError("the decoder graph gave NaN")
        return [_step(role, arrays) for arrays in found]

    def _role(self, lane: Lane, choice: Choice) -> str:
        """Return the role of the graph that advances a lane."""
        selecting = SELECTING["greedy" if lane.graph == "step_greedy" else "beam"]
        if lane.graph == "step_full":
            return lane.graph
        return selecting if choice.totals is not None and selecting in self._steps else "step"

    def _tell(self, on: DeviceLane, choice: Choice, rows: int) -> None:
        """Tell the device what was said last; all hypotheses of a row continue the first in their first step.

        So do those of rows that are only there to be computed along: what an earlier lane left may name hypotheses
        that a narrower one does not have.
        """
        ids, parents, totals = (staged[: rows * on.width].reshape(rows, on.width) for staged in self._told)
        ids[: on.rows] = choice.ids
        self.memory.upload(on.reads.ids.address, ids[: on.rows])
        if on.width > 1:
            parents[: on.begun] = numpy.arange(on.width) if choice.parents is None else choice.parents[: on.begun]
            parents[on.begun :] = 0
            self.memory.upload(on.reads.parents.address, parents)
        if choice.totals is not None:
            totals[: on.rows] = choice.totals
            self.memory.upload(on.reads.totals.address, totals[: on.rows])


def _step(role: str, arrays: Arrays) -> Step:
    """Say what a graph gave as searches read it."""
    weights = arrays.get("alignment")
    if role == "step_select":
        return Step(None, arrays["next_ids"][:, :, None], weights)
    if role == "step_full":
        return Step(arrays["log_probabilities"], None, weights)
    return Step(arrays["candidate_log_probabilities"], arrays["candidate_ids"], weights)
