"""The core in this process: sessions, proved against golden translations, and the engine that runs them."""

import logging
import time
from dataclasses import replace

from service.core.golden import replay_golden
from service.core.interface import REPLAYED, Emit, Facts
from service.device.opening import open_on_gpu
from service.device.runner import DeviceRunner
from service.engine import Engine
from service.intake import Intake
from service.limits import KINDS, EngineLimits
from service.mail import Mail
from service.padding import aligned
from service.request import Lane, Request
from service.runner import MANY, OnnxRunner, Runner
from service.scheduler import Scheduler
from service.search.kinds import make_search
from service.search.search import Search, Symbols
from service.session import choose_precision, cpu_nodes
from service.setup import Setup
from service.state import EngineState

log = logging.getLogger("service.core")
FEW = 4  # hypotheses for each shard, above which another one begins


class LocalCore:
    """Compute in this process, by threads of an engine."""

    def __init__(self, setup: Setup, emit: Emit, mail: Mail | None = None) -> None:
        """Load, warm up and verify a bundle, and start its engine; `emit` gets its news, if any, after each step.

        What comes by `mail` is submitted, too.

        Raises:
            StartupError: a file does not fit the manifest, the bundle lacks the precision, the device cannot run it, or
                a golden translation differs.
        """
        started = time.monotonic()
        bundle, device, limits = setup.bundle, setup.device, setup.limits
        self._manifest, self._kind = bundle.manifest, KINDS[device.kind]
        intake = Intake(bundle)
        longest = self._manifest.limits.max_source_tokens + len(intake.end)
        self._source_lengths = lane_lengths(longest, self._kind.shortest_lane)
        precision = choose_precision(setup.precision, device, bundle)
        shards = min(setup.threads, self._kind.shards)
        self._on_device: DeviceRunner | None = None
        if device.kind == "cpu":
            runner: Runner = OnnxRunner(bundle, precision, setup.threads, shards)
        else:
            room = limits.slots, self._source_lengths, limits.device_bytes
            runner = self._on_device = open_on_gpu(bundle, precision, device, *room)
        proving = replace(limits, queue=3 * REPLAYED, queue_tokens=1 << 30)
        replay_golden(bundle, precision, intake, self._build(runner, proving, lambda requests: None))
        self._engine = self._build(runner, limits, emit, shards, setup.measured, mail)
        self._engine.start()
        nodes = sum(map(cpu_nodes, self._on_device.sessions)) if self._on_device else 0
        seconds = time.monotonic() - started
        self.facts = Facts(precision, device.provider, nodes, self.state.device, seconds, time.time())
        loaded = (self._manifest.name, bundle.version, precision, seconds, device.provider, device)
        log.info("loaded %s version %d, %s, in %.2f s on %s (%s)", *loaded)
        if self._on_device:
            log.info("%s version %d: %s", self._manifest.name, bundle.version, self._on_device.describe())

    def _build(
        self,
        runner: Runner,
        limits: EngineLimits,
        emit: Emit,
        shards: int = 1,
        measured: bool = True,
        mail: Mail | None = None,
    ) -> Engine:
        special, longest = self._manifest.special_ids, self._manifest.limits.max_length + 1  # a forced end
        symbols = Symbols(special.unk, special.bos, special.eos)

        def search(lane: Lane) -> Search:
            return make_search(lane, symbols, longest)

        line = limits.queue, limits.queue_tokens
        # With more than few hypotheses for each, another thread begins to step. The last one begins when all others are
        # full, or have their shares of the slots: until then its core is worth more to the edge, and to who joins, whom
        # it encodes. Where all threads take a step together, it never does.
        together = runner.together and limits.slots >= shards * MANY
        full = limits.slots if together else max(1, min(MANY, limits.slots // shards))
        ahead, replaces = self._kind.encoded_ahead, runner.replaces
        scheduler = Scheduler(
            limits.slots, *line, self._source_lengths, shards, full, FEW, encoded_ahead=ahead, replaces=replaces
        )
        return Engine(scheduler, runner, search, emit, measured, mail)

    @property
    def failed(self) -> bool:
        """Whether a thread of the engine has died."""
        return self._engine.failed

    @property
    def busy(self) -> bool:
        """Whether a request is in line or in slots."""
        return self._engine.scheduler.busy

    @property
    def state(self) -> EngineState:
        """The state."""
        return self.observe()

    def observe(self) -> EngineState:
        """Look at the engine."""
        device = self._on_device.state if self._on_device else None
        return EngineState.of(self._engine.scheduler, self._engine.stats, self._engine.failed, device)

    def submit(self, request: Request) -> None:
        """Hand a request to the engine.

        Raises:
            ServiceError: it was refused.
        """
        self._engine.submit(request)

    def cancel(self, request: Request) -> None:
        """Give a request up: nothing more is emitted for it."""
        self._engine.cancel(request)

    def close(self) -> None:
        """Fail what is left with `draining`, and end the engine's threads."""
        self._engine.close()


def lane_lengths(max_source_tokens: int, shortest: int) -> tuple[int, ...]:
    """Return the source lengths that lanes are made for: the shortest, twice that, ... up to the model's limit."""
    lengths = [shortest]
    while lengths[-1] < max_source_tokens:
        lengths.append(2 * lengths[-1])
    lengths[-1] = min(lengths[-1], aligned(max_source_tokens))
    return tuple(lengths)
