"""One served model: its bundle, vocabulary and engine, proved against its golden translations before it serves."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from weakref import WeakSet

import numpy

from service.bundle import Bundle
from service.engine import Engine
from service.errors import BundleError, ParityError
from service.options import SearchOptions
from service.request import Lane, Request
from service.runner import OnnxRunner, Runner
from service.scheduler import Scheduler
from service.search.kinds import make_search
from service.search.search import Search, Symbols
from service.session import Device, choose_precision
from service.slots import ALIGNMENT
from service.vocabulary import Vocabulary

log = logging.getLogger("service.model")
GOLDEN_REPLAYED = 8
# Of an engine, one to a core: a step that several threads share waits, after each operation, for the one whose core
# somebody else has taken. More of them would make the batches small.
MOST_SHARDS = 4
FULL_SHARD = 4  # hypotheses: with more, a thread for each of two shards ends sooner than one step by all threads


@dataclass(frozen=True)
class EngineLimits:
    """Bound what one model's engine takes on at a time."""

    slots: int  # hypotheses
    queue: int  # requests
    queue_tokens: int = 1 << 30  # source pieces of these
    beam: int = 12  # hypotheses of one request


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
        self.source_lengths = lane_lengths(self.manifest.limits.max_source_tokens + len(self._end))
        self.device, self.limits = device, limits
        # The best W + 1 pieces of each hypothesis decide on a beam of W: one of them may be the end.
        self.max_hypotheses = max(1, min(limits.beam, limits.slots, self.manifest.candidates - 1))
        self.has_attention = self.manifest.has_attention
        shards = min(threads, MOST_SHARDS) if device.kind == "cpu" else 1
        self.precision = choose_precision(precision, device, bundle)
        runner = OnnxRunner(bundle, self.precision, device, threads, shards)
        self.provider, self.cpu_nodes = runner.provider, runner.cpu_nodes
        self._replay_golden(runner)
        self.engine = self._build_engine(runner, limits, emit, shards, measured)
        self.engine.start()
        self.load_seconds = time.monotonic() - started
        self.loaded_at = time.time()
        loaded = (self.name, self.version, self.precision, self.load_seconds, self.provider)
        log.info("loaded %s version %d, %s, in %.2f s on %s", *loaded)

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

        line = limits.queue, limits.queue_tokens
        scheduler = Scheduler(limits.slots, *line, self.source_lengths, shards, FULL_SHARD)
        return Engine(scheduler, runner, search, emit, measured)

    def _replay_golden(self, runner: Runner) -> None:
        """Translate the golden sentences as requests are, by every graph; this also warms the sessions up."""
        golden = self.manifest.golden[:GOLDEN_REPLAYED]
        engine = self._build_engine(runner, EngineLimits(3 * len(golden), 3 * len(golden)), lambda requests: None)
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


def lane_lengths(max_source_tokens: int) -> tuple[int, ...]:
    """Return the source lengths that lanes are made for: 64, 128, 256, ... up to the model's limit."""
    lengths = [8 * ALIGNMENT]
    while lengths[-1] < max_source_tokens:
        lengths.append(2 * lengths[-1])
    lengths[-1] = min(lengths[-1], -(-max_source_tokens // ALIGNMENT) * ALIGNMENT)
    return tuple(lengths)
