"""Bundles on the device that is measured: a GPU, or the host's memory to try the measurement itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnxruntime

from service.bundle import Bundle
from service.core.local import lane_lengths
from service.device.cuda import CudaMemory
from service.device.host import HostMemory
from service.device.memory import Memory
from service.device.opening import provider_settings
from service.device.runner import DeviceRunner
from service.engine import Engine
from service.limits import KINDS
from service.parts import Graph
from service.provider import Device, runtime_library
from service.request import Lane, Request
from service.runner import OnnxRunner, Runner
from service.scheduler import Scheduler
from service.search.kinds import make_search
from service.search.search import Search, Symbols
from service.session import open_session

CHOOSING = ("step_select", "step_beam")


@dataclass(frozen=True)
class Variant:
    """Say what a runner makes use of."""

    precision: str = "fp32"
    hidden: tuple[str, ...] = ()  # roles of graphs that it does not see
    captures: bool = True
    ahead: int = 4


def open_memory(device: Device) -> Memory:
    """Open a device's memory."""
    return HostMemory() if device.kind == "cpu" else CudaMemory(device.number, runtime_library())


def open_runner(bundle: Bundle, device: Device, variant: Variant, slots: int) -> DeviceRunner:
    """Load a bundle, ready to step in this thread."""
    memory = open_memory(device)
    graphs = tuple(graph for graph in bundle.manifest.graphs if graph.role not in variant.hidden)
    seen = bundle.model_copy(update={"manifest": bundle.manifest.model_copy(update={"graphs": graphs})})

    def open_graph(graph: Graph, captures: bool) -> onnxruntime.InferenceSession:
        settings = provider_settings(memory, graph, captures, None) if isinstance(memory, CudaMemory) else None
        return open_session(bundle, graph, device, 1, settings)

    lengths = source_lengths(bundle)
    runner = DeviceRunner(seen, variant.precision, memory, open_graph, slots, lengths, variant.captures)
    runner.ahead = variant.ahead
    runner.begin()
    return runner


def open_cpu(bundle: Bundle, precision: str, threads: int) -> OnnxRunner:
    """Load a bundle on the CPU."""
    return OnnxRunner(bundle, precision, threads)


def source_lengths(bundle: Bundle) -> tuple[int, ...]:
    """Return the lanes' lengths on a GPU."""
    manifest = bundle.manifest
    return lane_lengths(manifest.limits.max_source_tokens + manifest.source_end, KINDS["cuda"].shortest_lane)


def make_engine(bundle: Bundle, runner: Runner, slots: int, ended: list[Request]) -> Engine:
    """Make an engine that is stepped by who calls it; `ended` gets the requests that have ended."""
    special, longest = bundle.manifest.special_ids, bundle.manifest.limits.max_length + 1
    symbols = Symbols(special.unk, special.bos, special.eos)

    def search(lane: Lane) -> Search:
        return make_search(lane, symbols, longest)

    ahead = KINDS["cuda"].encoded_ahead
    scheduler = Scheduler(slots, 1 << 20, 1 << 30, source_lengths(bundle), encoded_ahead=ahead)
    return Engine(scheduler, runner, search, ended.extend)


def variants(precisions: Sequence[str]) -> dict[str, Variant]:
    """List what is taken up one after the other."""
    bound = Variant(hidden=CHOOSING, captures=False, ahead=1)
    steps = {
        "slots on the device, bound once; the host chooses": bound,
        "the choice inside the graph": replace(bound, hidden=()),
        "steps captured as CUDA graphs": Variant(ahead=1),
        "four steps before the host looks": Variant(),
    }
    return steps | ({"fp16": Variant("fp16")} if "fp16" in precisions else {})
