"""One served model: its bundle, vocabulary and engine, proved against its golden translations before it serves."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from weakref import WeakSet

import numpy

from service.bundle import Bundle
from service.device.opening import open_on_gpu
from service.device.runner import DeviceRunner
from service.engine import Engine
from service.errors import BundleError, ParityError
from service.limits import KINDS, EngineLimits
from service.options import SearchOptions
from service.padding import aligned
from service.provider import Device
from service.request import Lane, Request
from service.runner import OnnxRunner, Runner
from service.scheduler import Scheduler
from service.search.kinds import make_search
from service.search.search import Search, Symbols
from service.session import choose_precision, cpu_nodes
from service.vocabulary import Vocabulary

log = logging.getLogger("service.model")
GOLDEN_REPLAYED = 8

FULL_SHARD = 4  # hypotheses: with more, a thread for each of two shards ends sooner than one step by all threads


class Model:
    """Hold a loaded model version."""

    def __init__(
        self,
        bundle: Bundle,
        device: Device,
        threads: int,
        limits: EngineLimits,
        emit: Callable[[list[Request]], None],
        precision: str = "auto",
        measured: bool = True,
    ) -> None:
        """Load, warm up and verify a bundle in one of its precisions, and start its engine.

        The engine counts what it does where it is `measured`.

        Raises:
            StartupError: a file does not fit the manifest, the bundle lacks the precision, the device cannot run it, or
                a golden translation differs.
        """
        started = time.monotonic()
        self.readers = 0  # calls that make a translation for it
        self.users: WeakSet[object] = WeakSet()  # translations that are not done, unless they were given up
        self.bundle = bundle
        self.manifest = bundle.manifest
        self.digest = bundle.manifest.digest()
        self.name, self.version = bundle.manifest.name, bundle.version
        self.vocabulary = Vocabulary(bundle.file(self.manifest.vocabulary.file), self.manifest.vocabulary.size)
        self._check_special_ids()
        self._end = [self.manifest.special_ids.eos] if self.manifest.source_end else []
        kind = KINDS[device.kind]
        self.source_lengths = lane_lengths(self.manifest.limits.max_source_tokens + len(self._end), kind.shortest_lane)
        self.device, self.limits = device, limits
        # The best W + 1 pieces of each hypothesis decide on a beam of W: one of them may be the end.
        self.max_hypotheses = max(1, min(limits.beam, limits.slots, self.manifest.candidates - 1))
        self.has_attention = self.manifest.has_attention
        shards = min(threads, kind.shards)
        self.precision = choose_precision(precision, device, bundle)
        self.on_device: DeviceRunner | None = None
        if device.kind == "cpu":
            runner: Runner = OnnxRunner(bundle, self.precision, threads, shards)
        else:
            room = limits.slots, self.source_lengths, limits.device_bytes
            runner = self.on_device = open_on_gpu(bundle, self.precision, device, *room)
        self.provider = device.provider  # a session that runs elsewhere was refused
        self.cpu_nodes = sum(map(cpu_nodes, self.on_device.sessions)) if self.on_device else 0
        self._replay_golden(runner)
        self.engine = self._build_engine(runner, limits, emit, shards, measured)
        self.engine.start()
        self.load_seconds = time.monotonic() - started
        self.loaded_at = time.time()
        loaded = (self.name, self.version, self.precision, self.load_seconds, self.provider, device)
        log.info("loaded %s version %d, %s, in %.2f s on %s (%s)", *loaded)
        if self.on_device:
            log.info("%s version %d: %s", self.name, self.version, self.on_device.describe())

    def _check_special_ids(self) -> None:
        special, found = self.manifest.special_ids, self.vocabulary.special_ids
        expected = (special.pad, special.unk, special.bos, special.eos)
        if found != expected:
            path = self.bundle.file(self.manifest.vocabulary.file)
            raise BundleError(path, f"numbers padding, unknown, begin and end {found}, the manifest says {expected}")

    def _build_engine(
        self,
        runner: Runner,
        limits: EngineLimits,
        emit: Callable[[list[Request]], None],
        shards: int = 1,
        measured: bool = True,
    ) -> Engine:
        special, longest = self.manifest.special_ids, self.manifest.limits.max_length + 1  # a forced end
        symbols = Symbols(special.unk, special.bos, special.eos)

        def search(lane: Lane) -> Search:
            return make_search(lane, symbols, longest)

        line, ahead = (limits.queue, limits.queue_tokens), KINDS[self.device.kind].encoded_ahead
        scheduler = Scheduler(limits.slots, *line, self.source_lengths, shards, FULL_SHARD, encoded_ahead=ahead)
        return Engine(scheduler, runner, search, emit, measured)

    def _replay_golden(self, runner: Runner) -> None:
        """Translate the golden sentences as requests are, by every graph; this also warms the sessions up."""
        golden = self.manifest.golden[:GOLDEN_REPLAYED]
        limits = replace(self.limits, queue=3 * len(golden), queue_tokens=1 << 30)
        engine = self._build_engine(runner, limits, lambda requests: None)
        whole = (self.manifest.special_ids.eos,)  # as a further end it changes nothing, but takes whole distributions
        replayed = []
        for example in golden:
            ids = self.vocabulary.encode(example.source)
            if tuple(ids) != example.source_ids:
                path = self.bundle.file(self.manifest.vocabulary.file)
                raise BundleError(
                    path, f"splits the golden sentence {example.source!r} into other pieces than training"
                )
            plain = self.plain_options(len(ids), False)
            for options in (plain, replace(plain, scored=True), replace(plain, end_ids=whole)):
                replayed.append((example, self.request(ids, options)))
                engine.submit(replayed[-1][1])
        while engine.scheduler.busy:
            engine.step()
        for example, request in replayed:
            expected = example.outputs.get(self.precision)
            if request.error is not None or (expected and request.hypotheses[0].ids != expected.ids):
                got = "an error" if request.error else repr(self.vocabulary.decode(request.hypotheses[0].ids))
                wanted = repr(expected.text) if expected else "a translation"
                raise ParityError(
                    self.bundle.file(self.manifest.graph("step", self.precision).file),
                    f"golden sentence {example.source!r} gives {got}, the exported model gave {wanted}",
                )

    def plain_options(self, source_length: int, scored: bool) -> SearchOptions:
        """Return the options of greedy search, bounded by the model's default."""
        return SearchOptions(min(self.manifest.limits.max_length, 2 * source_length + 10), scored=scored)

    def request(self, source_ids: list[int], options: SearchOptions, streams: bool = False) -> Request:
        """Make a request of source pieces."""
        return Request(numpy.array([*source_ids, *self._end], numpy.int64), options, streams)


def lane_lengths(max_source_tokens: int, shortest: int) -> tuple[int, ...]:
    """Return the source lengths that lanes are made for: the shortest, twice that, ... up to the model's limit."""
    lengths = [shortest]
    while lengths[-1] < max_source_tokens:
        lengths.append(2 * lengths[-1])
    lengths[-1] = min(lengths[-1], aligned(max_source_tokens))
    return tuple(lengths)
