"""A device that is the host's memory translates as the CPU's runner does, whoever joins or leaves meanwhile."""

import itertools
import queue
import threading
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import numpy
import onnxruntime
import pytest
from numpy.typing import NDArray

from service.bundle import Bundle, read_bundle
from service.core import local
from service.device.bound import WITHOUT_GRAPH
from service.device.host import HostMemory
from service.device.memory import DeviceFull, DeviceLost
from service.device.runner import DeviceRunner
from service.engine import Engine
from service.errors import Draining, InternalError
from service.limits import EngineLimits
from service.metrics.devices import DeviceCollector
from service.model import Model
from service.options import SearchOptions
from service.parts import Graph
from service.provider import Device
from service.registry import Registry
from service.request import Encoded, Lane, Request
from service.runner import OnnxRunner, Runner
from service.scheduler import Scheduler
from service.search.kinds import make_search
from service.search.search import Search, Symbols
from service.session import open_session
from service.setup import Setup
from service.vocabulary import Vocabulary
from tests.server_process import ROOT

LENGTHS, SLOTS, LONGEST = (32, 64, 128, 256), 24, 40
TEXTS = (
    "The old man sat alone in the kitchen and read the newspaper.",
    "Where is the next train station?",
    "We have been waiting for the bus for almost an hour, and nobody knows when it is going to come.",
    "Stop!",
    "I would like a cup of coffee, please.",
    "She did not want to talk about it, but her brother told us the whole story while we walked along the river "
    "towards the little village in which both of them had grown up.",
)
PLAIN: dict[str, Any] = {"scored": False}
KINDS: tuple[dict[str, Any], ...] = (
    PLAIN,
    {},
    {"beam_size": 5},
    {"beam_size": 3, "alignment": True},
    {"alignment": True},
    {"beam_size": 2, "repetition_guard": True},
    {"beam_size": 2, "no_repeat_ngram_size": 2},
)


class Replaying:
    """Do with captured runs what a CUDA graph does: replay what was bound when their number came first.

    The first time it runs thrice, as ONNX Runtime does to capture: what a run reads, it must not have written.
    """

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self.captured: dict[str, Any] = {}  # by number
        self.replays = 0
        self.threads: set[str] = set()  # by name, of those that capture or replay

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run_with_iobinding(self, binding: Any, options: onnxruntime.RunOptions) -> None:
        """Run, capture or replay."""
        number = options.get_run_config_entry("gpu_graph_id")
        if number == str(WITHOUT_GRAPH):
            self._session.run_with_iobinding(binding, options)
            return
        self.threads.add(threading.current_thread().name)
        if number in self.captured:
            self.replays += 1
            self._session.run_with_iobinding(self.captured[number], options)
            return
        self.captured[number] = binding
        for _ in range(3):
            self._session.run_with_iobinding(binding, options)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """Read the bundle that ships."""
    return read_bundle(ROOT / "model_repository" / "en-de" / "1")


def open_device(
    bundle: Bundle, precision: str, slots: int = SLOTS, size: int = 1 << 40, hidden: Sequence[str] = ()
) -> tuple[DeviceRunner, list[Replaying]]:
    """Open a bundle on the host's memory as if it were a device that captures; `hidden` roles are not there."""
    captured: list[Replaying] = []
    graphs = tuple(graph for graph in bundle.manifest.graphs if graph.role not in hidden)
    part = bundle.model_copy(update={"manifest": bundle.manifest.model_copy(update={"graphs": graphs})})

    def open_graph(graph: Graph, captures: bool) -> Any:
        session = open_session(bundle, graph, Device("cpu"), 1)
        if not captures:
            return session
        captured.append(Replaying(session))
        return captured[-1]

    return DeviceRunner(part, precision, HostMemory(size), open_graph, slots, LENGTHS, captures=True), captured


def make_requests(bundle: Bundle, count: int, kinds: Sequence[dict[str, Any]] = KINDS) -> list[Request]:
    """Make requests of all kinds, for parts of the texts."""
    manifest = bundle.manifest
    vocabulary = Vocabulary(bundle.file(manifest.vocabulary.file), manifest.vocabulary.size)
    random, requests = Random(7), []
    for number in range(count):
        ids = vocabulary.encode(TEXTS[number % len(TEXTS)])
        ids = ids[: random.randrange(1, len(ids) + 1)]
        longest = min(LONGEST, 2 * len(ids) + 4)
        options = SearchOptions(longest, **kinds[number % len(kinds)])
        requests.append(Request(numpy.array(ids, numpy.int64), options))
    return requests


def translate(bundle: Bundle, runner: Runner, requests: list[Request], at_first: int = 0) -> list[Request]:
    """Let requests come in a random order, a few at each step; at times none waits, so that steps go ahead."""
    special, random = bundle.manifest.special_ids, Random(3)
    symbols = Symbols(special.unk, special.bos, special.eos)

    def search(lane: Lane) -> Search:
        return make_search(lane, symbols, LONGEST + 1)

    ticks = itertools.count(step=0.0001)  # not real time: by the pace it depends who is first, and so what is captured
    scheduler = Scheduler(SLOTS, 10_000, 1 << 30, LENGTHS, clock=lambda: next(ticks))
    engine = Engine(scheduler, runner, search, lambda ended: None)
    coming = random.sample(requests, len(requests))
    while coming or scheduler.busy:
        for _ in range(min(len(coming), at_first or random.choice((0, 0, 1, 4)))):
            engine.submit(coming.pop())
        engine.step()
    return requests


def assert_same(found: list[Request], expected: list[Request], tolerance: float) -> None:
    """Compare hypotheses: pieces and ends to the letter, numbers within a tolerance."""
    for one, other in zip(found, expected, strict=True):
        assert one.error is None
        assert len(one.hypotheses) == len(other.hypotheses)
        for mine, its in zip(one.hypotheses, other.hypotheses, strict=True):
            assert (mine.ids, mine.finish_reason) == (its.ids, its.finish_reason)
            known = ~numpy.isnan(its.token_scores)  # where the other runner had no scores to give
            numpy.testing.assert_allclose(mine.token_scores[known], its.token_scores[known], atol=tolerance)
            assert (mine.alignment is None) == (its.alignment is None)
            if mine.alignment is not None and its.alignment is not None:
                numpy.testing.assert_allclose(mine.alignment, its.alignment, atol=tolerance)


def test_device_translates_as_the_cpu_does(bundle: Bundle) -> None:
    """All ways of searching, mixed in one engine: greedy and beams that the device chooses by itself are the same."""
    runner, captured = open_device(bundle, "fp32")
    runner.begin()
    for count, kinds in ((84, KINDS), (14, ({"beam_size": 5},))):  # these have racks that capture to themselves
        expected = translate(bundle, OnnxRunner(bundle, "fp32", 1), make_requests(bundle, count, kinds))
        found = translate(bundle, runner, make_requests(bundle, count, kinds))
        assert_same(found, expected, 1e-4)
        assert not any(request.retried for request in found)
    assert all(session.replays for session in captured)
    assert runner.state.captured > 4 * len(LENGTHS)
    assert runner.state.memcpy_nodes == 0
    # What is captured stays, so it was only on racks that stay, though steps ran on others, too.
    first, beside = runner._shelf.first, [rack for rack in runner._shelf._free if rack not in runner._shelf.first]
    assert any(rack.bound for rack in beside)
    assert runner.state.captured == sum(len(rack.bound) for rack in first)
    assert runner.state.captured == sum(len(session.captured) for session in captured)


def test_a_bundle_without_selection_lets_the_host_choose(bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    """Earlier bundles give the same translations; the log says what they lack."""
    hidden = ("step_select", "step_beam", "encoder_sequence")
    runner, _ = open_device(bundle, "fp32", hidden=hidden)
    assert "no graph has the role step_select" in caplog.text
    expected = translate(bundle, OnnxRunner(bundle, "fp32", 1), make_requests(bundle, 28))
    assert_same(translate(bundle, runner, make_requests(bundle, 28)), expected, 1e-4)


def test_steps_ahead_change_nothing(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """One step at a time or four: the same pieces, and no row that ended is heard of again."""
    found = []
    for ahead in (1, 4):
        monkeypatch.setattr(DeviceRunner, "ahead", ahead)
        runner, _ = open_device(bundle, "fp32")
        found.append(translate(bundle, runner, make_requests(bundle, 56)))
    assert_same(*found, tolerance=0)


def test_a_narrow_lane_follows_a_wide_one(bundle: Bundle) -> None:
    """Rows that are computed along with others continue no hypothesis that only an earlier lane of the rack had."""
    runner, _ = open_device(bundle, "fp32")
    for rack in runner._shelf.first:
        for phase in rack.phases:
            runner.memory.upload(phase.parents.address, numpy.full(SLOTS, 11))
    for kind in ({"beam_size": 2}, {"beam_size": 2, "no_repeat_ngram_size": 3}):
        requests, again = (make_requests(bundle, 7, kinds=(kind,)) for _ in range(2))
        expected = translate(bundle, OnnxRunner(bundle, "fp32", 1), again)
        assert_same(translate(bundle, runner, requests, at_first=7), expected, 1e-4)
        assert not any(request.retried for request in requests)


def test_a_greedy_step_copies_16_bytes_a_row(bundle: Bundle) -> None:
    """While nobody joins or leaves, ids come to the host and nothing goes to the device; a state of each comes once."""
    runner, _ = open_device(bundle, "fp32")
    requests = make_requests(bundle, 8, kinds=(PLAIN,))
    special = bundle.manifest.special_ids
    engine = Engine(
        Scheduler(8, 100, 1 << 30, LENGTHS),
        runner,
        lambda lane: make_search(lane, Symbols(special.unk, special.bos, special.eos), LONGEST + 1),
        lambda ended: None,
    )
    for request in requests:
        engine.submit(request)
    memory = runner.memory
    lengths, up, down = 8 * len(requests), memory.uploaded, memory.downloaded
    (state,) = bundle.manifest.state
    while engine.scheduler.busy:
        engine.step()
    rows = engine.stats.decode_rows.sum
    assert memory.downloaded - down == 8 * rows + 4 * state.features[0] * len(requests)
    assert memory.uploaded - up - lengths < 8 * rows / 2


def test_slots_that_do_not_fit_keep_a_model_from_loading(bundle: Bundle) -> None:
    """The message says what they take."""
    with pytest.raises(DeviceFull, match=r"4096 slots take \d+ MiB"):
        open_device(bundle, "fp32", slots=4096, size=1 << 30)


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_a_step_that_fails_costs_nobody(
    bundle: Bundle, rows: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All rows of it begin again, each by itself."""
    caplog.set_level("CRITICAL")
    runner, _ = open_device(bundle, "fp32")
    real, failed = runner._steps.run, []

    def run(*arguments: Any) -> None:
        if not failed and arguments[3] >= rows:
            failed.append(arguments)
            raise RuntimeError("once")
        real(*arguments)

    monkeypatch.setattr(runner._steps, "run", run)
    expected = translate(bundle, OnnxRunner(bundle, "fp32", 1), make_requests(bundle, 30, kinds=(PLAIN,)))
    assert_same(translate(bundle, runner, make_requests(bundle, 30, kinds=(PLAIN,))), expected, 1e-4)
    assert failed


@pytest.mark.parametrize("kind", [PLAIN, {}, {"beam_size": 3}, {"no_repeat_ngram_size": 3}])
def test_a_source_that_gives_no_numbers_fails_alone(
    bundle: Bundle, kind: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither those beside it nor those that have its slots later hear of it."""
    caplog.set_level("CRITICAL")
    runner, _ = open_device(bundle, "fp32")
    requests, again, expected = (
        [request for request in make_requests(bundle, 24, kinds=(kind,)) if len(request.source_ids) <= LENGTHS[0]]
        for _ in range(3)
    )
    longest = max(range(len(requests)), key=lambda number: len(requests[number].source_ids))
    bad, real = requests[longest], runner.encode

    def encode(sources: Sequence[NDArray[numpy.int64]]) -> Encoded:
        encoded = real(sources)
        rows = [row for row, source in enumerate(sources) if source is bad.source_ids]

        def spoiled(values: Mapping[str, Any]) -> dict[str, Any]:
            arrays = {name: value.numpy().copy() for name, value in values.items()}
            for array in arrays.values():
                array[rows] = numpy.nan
            return {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}

        return Encoded(spoiled(encoded.state), spoiled(encoded.memory), encoded.lengths)

    monkeypatch.setattr(runner, "encode", encode)
    for several in (requests, again, expected):
        translate(bundle, runner if several is not expected else OnnxRunner(bundle, "fp32", 1), several, len(several))
    assert isinstance(bad.error, InternalError)
    assert_same([r for r in requests if r is not bad], [r for r in expected if r is not expected[longest]], 1e-4)
    assert_same(again, expected, 1e-4)
    assert not any(request.retried for request in again)


@pytest.mark.parametrize("first", ["a call of ours", "the encoder", "a step"])
def test_a_lost_device_ends_its_engine(
    bundle: Bundle, first: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is tried again on it, whoever meets it first: who is in flight fails, and the server must stop."""
    caplog.set_level("CRITICAL")
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    runner, _ = open_device(bundle, "fp32")

    def lost() -> None:
        raise DeviceLost("cudaStreamSynchronize: an illegal memory access was encountered (700)")

    def failing(*arguments: Any) -> None:
        monkeypatch.setattr(runner.memory, "wait", lost)
        raise RuntimeError("CUDA failure 700")

    special = bundle.manifest.special_ids
    ended: queue.Queue[Request] = queue.Queue()
    engine = Engine(
        Scheduler(8, 100, 1 << 30, LENGTHS),
        runner,
        lambda lane: make_search(lane, Symbols(special.unk, special.bos, special.eos), LONGEST + 1),
        lambda requests: [ended.put(request) for request in requests],
    )
    engine.start()
    if first == "a call of ours":
        monkeypatch.setattr(runner.memory, "wait", lost)
    elif first == "the encoder":
        monkeypatch.setattr(runner, "_encode", failing)
    else:
        monkeypatch.setattr(runner._steps, "run", failing)
    engine.submit(make_requests(bundle, 1)[0])
    assert isinstance(ended.get(timeout=60).error, InternalError)
    assert engine.failed
    with pytest.raises(Draining):
        engine.submit(make_requests(bundle, 1)[0])


def test_half_precision_says_the_same_on_plain_sentences(bundle: Bundle) -> None:
    """With fp16 weights and memory, the golden translations come out."""
    runner, _ = open_device(bundle, "fp16")
    manifest = bundle.manifest
    requests = [
        Request(numpy.array(golden.source_ids, numpy.int64), SearchOptions(LONGEST, scored=False))
        for golden in manifest.golden
    ]
    translate(bundle, runner, requests)
    expected = [golden.outputs["fp16"].ids for golden in manifest.golden]
    assert [request.hypotheses[0].ids for request in requests] == expected


def test_a_model_on_a_device_serves_from_it(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """It replays its golden translations there, captures in the thread that steps, and says what it takes."""
    begun: list[str] = []
    captured: list[Replaying] = []

    def open_on_gpu(
        bundle: Bundle, precision: str, device: Device, slots: int, lengths: Sequence[int], limit: int | None
    ) -> DeviceRunner:
        assert (str(device), slots, tuple(lengths), limit) == ("cuda:1", 5, LENGTHS, 1 << 30)
        runner, sessions = open_device(bundle, precision, slots)
        captured.extend(sessions)
        begin = runner.begin
        monkeypatch.setattr(runner, "begin", lambda: (begun.append(threading.current_thread().name), begin()))
        return runner

    monkeypatch.setattr(local, "open_on_gpu", open_on_gpu)
    monkeypatch.setattr(local, "cpu_nodes", lambda session: 0)  # these sessions do not note it
    finished: queue.Queue[Request] = queue.Queue()
    limits = EngineLimits(slots=5, queue=8, device_bytes=1 << 30)
    setup = Setup(bundle, Device("cuda", 1), 2, limits, "fp16")
    served = Model(setup, local.LocalCore(setup, lambda ended: [finished.put(one) for one in ended]))
    try:
        golden = bundle.manifest.golden[0]
        served.core.submit(served.request(list(golden.source_ids), SearchOptions(LONGEST, scored=False)))
        assert finished.get(timeout=60).hypotheses[0].ids == golden.outputs["fp16"].ids
        registry = Registry()
        registry.add(served)
        families = list(DeviceCollector(registry).collect())
    finally:
        served.core.close()
    assert begun == ["engine-0"]
    assert {name for session in captured for name in session.threads} == {"engine-0"}  # golden ones replay in this one
    listed = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    for family in families:
        (sample, *_) = family.samples
        name = sample.name
        assert f"| `{name}` | {family.type} | {', '.join(sample.labels)} |" in listed
        assert sample.labels["device"] == "cuda:1"
        assert sample.value > 0, name
    assert len(families) == listed.count("| `seq2serve_device_")
