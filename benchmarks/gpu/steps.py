"""What one decoder step takes, by what the runner makes use of, and what it moves and multiplies meanwhile."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy
import onnx

from benchmarks.gpu.opened import CHOOSING, Variant, open_memory, open_runner
from service.bundle import Bundle
from service.parts import Graph
from service.provider import Device
from service.request import Lane
from service.runner import make_tables
from service.search.candidates import Choice
from service.session import open_session

TURNS, STEPS = 7, 40


@dataclass(frozen=True)
class StepTime:
    """Hold what a step of some rows took."""

    seconds: float
    copied: float  # bytes between host and device, for each row
    moved: int = 0  # bytes that it reads and writes on the device at least
    operations: int = 0  # of its products

    def row(self, name: str, bandwidth: float, rate: float) -> list[str]:
        """Write a row of a table; bytes a second and operations a second of the device are what there is at most."""
        least = max(self.moved / bandwidth, self.operations / rate) * 1e6
        return [
            name,
            f"{self.seconds * 1e6:.0f}",
            f"{self.copied:.0f}",
            f"{self.moved / 1e6:.1f}",
            f"{self.operations / 1e9:.2f}",
            f"{least:.0f}",
        ]


def measure_steps(bundle: Bundle, device: Device, variant: Variant, rows: int, length: int) -> StepTime:
    """Time greedy steps of rows with sources of a length."""
    runner = open_runner(bundle, device, variant, rows)
    lane = Lane(min(s for s in (32, 64, 128, 256) if s >= length), 1, "step_greedy")
    random = numpy.random.default_rng(0)
    source = [random.integers(4, bundle.manifest.vocabulary.size, length) for _ in range(rows)]
    for begin in range(0, rows, runner.encoder_rows):
        part = source[begin : begin + runner.encoder_rows]
        runner.admit(lane, runner.encode(part), range(len(part)), range(begin, begin + len(part)))
    choice = Choice(numpy.full((rows, 1), bundle.manifest.special_ids.bos), None, numpy.zeros((rows, 1)))

    def step() -> int:
        return len(runner.step(lane, choice, False, runner.ahead))

    step()
    before = runner.memory.uploaded + runner.memory.downloaded
    seconds, steps = _time(step)
    copied = (runner.memory.uploaded + runner.memory.downloaded - before) / steps / rows
    return StepTime(seconds, copied, *_work(bundle, variant, rows, length))


def measure_without_binding(bundle: Bundle, device: Device, precision: str, rows: int, length: int) -> StepTime:
    """Time steps whose arrays all are the host's: what ONNX Runtime does where nobody binds anything."""
    manifest = bundle.manifest
    graph = manifest.graph("step_greedy", precision)
    session = open_session(bundle, graph, device, 1)
    tables = make_tables(manifest, open_session(bundle, manifest.graph("tables"), Device("cpu"), 1))
    feed = {tensor.name: _random(tensor.type, _shape(graph, tensor.name, rows, length)) for tensor in graph.inputs}
    feed |= {t.name: tables[t.name].astype(t.type) for t in graph.inputs if t.name in tables}
    feed["source_lengths"] = numpy.full(rows, length)
    feed["previous_ids"] = numpy.full((rows, 1), 5)
    names = ["logits", *(f"next_{tensor.name}" for tensor in manifest.state)]

    def step() -> int:
        logits, *state = session.run(names, feed)
        feed["previous_ids"] = logits.argmax(axis=-1)
        feed.update(zip((tensor.name for tensor in manifest.state), state, strict=True))
        return 1

    step()
    seconds, _ = _time(step)
    taken = sum(array.nbytes for array in feed.values()) + rows * manifest.vocabulary.size * 4
    return StepTime(seconds, taken / rows, *_work(bundle, Variant(precision, hidden=CHOOSING), rows, length))


def _time(step: Callable[[], int]) -> tuple[float, int]:
    """Return the median seconds of a step, and how many were taken."""
    seconds, taken = [], 0
    for _ in range(TURNS):
        started, steps = time.perf_counter(), 0
        while steps < STEPS:
            steps += step()
        seconds.append((time.perf_counter() - started) / steps)
        taken += steps
    return statistics.median(seconds), taken


def _work(bundle: Bundle, variant: Variant, rows: int, length: int) -> tuple[int, int]:
    """Count the bytes of weights, memory and states that a step must touch, and the operations of its products."""
    role = "step_select" if "step_select" not in variant.hidden else "step"
    graph = bundle.manifest.graph(role, variant.precision)
    model = onnx.load(bundle.file(graph.file), load_external_data=False)
    matrices = [tensor for tensor in model.graph.initializer if len(tensor.dims) == 2]
    weights = sum(tensor.dims[0] * tensor.dims[1] for tensor in matrices)
    size = 2 if variant.precision == "fp16" else 4
    read = {tensor.name: tensor for tensor in graph.inputs}
    remembered = [read[tensor.name] for tensor in bundle.manifest.memory]
    positions = sum(length * tensor.features[-1] for tensor in remembered if "S" in tensor.shape)
    state = sum(tensor.features[-1] for tensor in bundle.manifest.state)
    moved = size * (weights + rows * (positions + 2 * state))
    return moved, 2 * rows * (weights + positions)


def measure_device(device: Device) -> tuple[float, float]:
    """Measure bytes a second of a copy, counted once read and once written, and operations a second of products."""
    memory, size = open_memory(device), 1 << 28
    first, second = memory.allocate(size), memory.allocate(size)

    def copy() -> int:
        memory.move(second, first, size)
        memory.wait()
        return 1

    copy()
    bandwidth = 2 * size / min(_once(copy) for _ in range(TURNS))
    memory.free(first)
    memory.free(second)
    return bandwidth, _matrix_rate(device)


def _matrix_rate(device: Device) -> float:
    import torch  # with CUDA, where the device is a GPU: what it calls a product is the fastest that there is

    size = 8192 if device.kind == "cuda" else 1024
    where = torch.device(str(device))
    kind = torch.float16 if device.kind == "cuda" else torch.float32
    left, right = (torch.rand(size, size, device=where, dtype=kind) for _ in range(2))

    def product() -> int:
        torch.mm(left, right)
        if device.kind == "cuda":
            torch.cuda.synchronize()
        return 1

    product()
    return float(2 * size**3 / min(_once(product) for _ in range(TURNS)))


def _once(run: Callable[[], int]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _shape(graph: Graph, name: str, rows: int, length: int) -> tuple[int, ...]:
    tensor = next(tensor for tensor in graph.inputs if tensor.name == name)
    axes = {"B": rows, "W": 1, "S": length}
    return tuple(axes[size] if isinstance(size, str) else size for size in tensor.shape)


def _random(kind: str, shape: tuple[int, ...]) -> numpy.ndarray:
    return numpy.random.default_rng(0).uniform(-1, 1, shape).astype(kind)
