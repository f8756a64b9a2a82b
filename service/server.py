"""The process: start in an order that never shows a half-ready server, drain so that nothing in flight is lost."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import time
from contextlib import suppress

import grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry, disable_created_metrics

from seq2serve.v1 import admin_pb2_grpc, model_pb2, model_pb2_grpc, translation_pb2, translation_pb2_grpc
from service import VERSION, tls
from service.access import AccessLog
from service.admin import AdminServicer
from service.agent import Agent
from service.aliases import read_aliases
from service.bundle import Bundle
from service.cache import Cache
from service.call import EdgeInterceptor
from service.core.remote import RemoteCore
from service.core.wire import Logs
from service.cpu import available_cpus
from service.delivery import Delivery, notify
from service.demand import Demand
from service.errors import StartupError
from service.health import Health
from service.kserve import servicer as kserve
from service.kserve.stubs import inference_pb2_grpc
from service.lifecycle import Lifecycle
from service.limits import EdgeLimits, EngineLimits
from service.metrics.devices import DeviceCollector
from service.metrics.edge import Measured, Metrics
from service.metrics.engine import EngineCollector
from service.metrics.models import ModelCollector
from service.metrics.process import register_process
from service.mirror import Mirror
from service.model import Model
from service.provider import choose_device
from service.registry import Registry
from service.repository import Repository
from service.servicer import ModelServicer, TranslationServicer
from service.settings import Settings
from service.setup import Setup
from service.shares import Shares
from service.tokens import open_gate
from service.tracing import open_tracing
from service.translator import Translator
from service.transport import is_loopback, server_options
from service.web import Web

log = logging.getLogger("service.server")
SERVICES = (
    translation_pb2.DESCRIPTOR.services_by_name["TranslationService"].full_name,
    model_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name,
)
WATCH_SECONDS = 0.5
QUIET_ROUNDS = 2  # of watching, without a call, after which none is expected any more
NOTICE_SECONDS = 0.5  # for clients to read the status of a stream
ANSWER_SECONDS = 5.0  # for the statuses of calls that outlived the grace
CLIENT_DEFAULT = "127.0.0.1:50051"


class Server:
    """Own everything that starts and stops."""

    def __init__(self, settings: Settings, worker: int | None = None) -> None:
        """Take the settings, and the number of this server if it is one of a supervisor's (`service.workers`)."""
        self._settings = settings
        self._supervised = worker is not None
        self._logs = Logs(settings.log_format, settings.log_level, worker)
        self._stop = asyncio.Event()
        self._draining = asyncio.Event()
        self._hurried = False
        self._edges: list[EdgeInterceptor] = []
        self._demand = Demand()
        self._services = (*SERVICES, kserve.SERVICE) if settings.kserve else SERVICES
        self._health = Health(self._services)
        self.grpc_address = self.http_address = self.admin_address = self.agent_address = ""

    async def run(self) -> int:
        """Serve until a signal; returns the exit status.

        Raises:
            StartupError: nothing was served.
        """
        started = time.monotonic()
        settings = self._settings
        loop = asyncio.get_running_loop()
        self._identity = tls.open_identity(settings)
        self._gate = open_gate(settings.token_file)
        self._access = AccessLog(loop)
        self._replica = f"{socket.gethostname()}/{os.getpid()}"
        self._tracing = open_tracing(settings.otlp_endpoint, settings.trace_ratio, self._replica)
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody asks for
        registry = CollectorRegistry() if settings.metrics else None
        metrics = Measured(registry) if registry else Metrics()
        self._registry = Registry(settings.default_model)
        web = Web(settings.http_address, registry, lambda: self._health.serving, self._registry.describe)
        self.http_address = web.address
        try:
            device = choose_device(settings.device)
            if device.note:
                log.info("running on the CPU: %s", device.note)
            delivery = Delivery(loop, settings.default_deadline)
            limits = EngineLimits.of(settings, device)
            self._slots = limits.slots
            threads = settings.threads or available_cpus()

            def make(bundle: Bundle) -> Model:
                setup = Setup(bundle, device, threads, limits, settings.precision, settings.metrics)
                return Model(setup, RemoteCore(setup, loop, notify, self._logs))

            repository = Repository(settings.model_repository, settings.serve_versions, settings.aliases)
            self._lifecycle = Lifecycle(repository, self._registry, make)
            admin = None
            try:
                await self._lifecycle.start()
                self._check_default()
                self._set_aliases()
                if registry:
                    self._register(registry)
                server = self._build(metrics, delivery)
                admin = await self._administer(metrics)
                agent = await self._advise()
                self._catch_signals(loop)
                await self._health.set(True)
                await self._listen(server)
                gc.freeze()  # what was loaded stays: to look through it for garbage would stop everything
                self._announce(time.monotonic() - started)
                following = loop.create_task(self._follow())
                status = await self._watch(metrics)
                following.cancel()
                await self._drain(server)
                await agent.close()
                return status
            finally:
                if admin:
                    await admin.stop(0)
                self._registry.close()
        finally:
            web.close()
            await asyncio.to_thread(self._tracing.close)
            self._access.close()

    def _register(self, registry: CollectorRegistry) -> None:
        registry.register(EngineCollector(self._registry))
        registry.register(ModelCollector(self._registry))
        registry.register(DeviceCollector(self._registry))
        register_process(registry, self._demand)

    def _build(self, metrics: Metrics, delivery: Delivery) -> grpc.aio.Server:
        settings = self._settings
        server = self._open(metrics)
        limits = EdgeLimits(
            settings.max_text_bytes,
            settings.max_batch_items,
            settings.max_glossary_terms,
            # Twice the slots keep them full on their own; half of the line is left to others.
            max(1, min(2 * self._slots, settings.queue_limit // 2)),
        )
        shares = Shares(settings.client_tokens_per_second)
        cache = Cache(delivery, settings.cache_entries, metrics.cache_asked) if settings.cache_entries else None
        mirror = Mirror(self._registry, cache or delivery, limits, metrics.shadow_compared)
        translator = Translator(self._registry, cache or delivery, limits, metrics, self._tracing, shares, mirror)
        translation = TranslationServicer(translator, self._draining)
        translation_pb2_grpc.add_TranslationServiceServicer_to_server(translation, server)
        model_pb2_grpc.add_ModelServiceServicer_to_server(ModelServicer(self._registry, limits), server)
        if settings.kserve:
            inference = kserve.InferenceServicer(translator, self._health, self._draining)
            inference_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(inference, server)
        self._health.register(server)
        if settings.reflection:
            names = (*self._services, reflection.SERVICE_NAME, "grpc.health.v1.Health")
            reflection.enable_server_reflection(names, server)
        return server

    def _open(self, metrics: Metrics) -> grpc.aio.Server:
        """Make a server with an edge of its own, which knows the methods of that server alone."""
        self._edges.append(EdgeInterceptor(metrics, self._tracing, self._access, self._gate, self._replica))
        return grpc.aio.server(interceptors=[self._edges[-1]], options=server_options(self._settings))

    @property
    def _calls(self) -> int:
        """Count the calls that are being handled."""
        return sum(edge.calls for edge in self._edges)

    def _check_default(self) -> None:
        default, names = self._settings.default_model, self._registry.names
        if default and default not in names:
            raise StartupError(f"--default-model {default}: not in the model repository ({', '.join(names)})")

    def _set_aliases(self) -> None:
        for name, alias in read_aliases(self._settings.aliases):
            self._registry.set_alias(name, alias)

    async def _administer(self, metrics: Metrics) -> grpc.aio.Server | None:
        """Serve AdminService on its own address, where one is set."""
        address = self._settings.admin_address
        if not address:
            return None
        server = self._open(metrics)
        admin_pb2_grpc.add_AdminServiceServicer_to_server(AdminServicer(self._lifecycle, self._registry), server)
        self.admin_address = self._bind(server, "--admin-address", address)
        await server.start()
        log.info("administration on %s", self.admin_address)
        return server

    async def _advise(self) -> Agent:
        """Tell balancers on an address of its own how much of the calls this server wants, where one is set."""
        models = self._registry
        agent = Agent(self._settings.agent_step_seconds, lambda: (one.core.state for one in models.models))
        if self._settings.agent_address:
            self.agent_address = await agent.start(self._settings.agent_address)
            log.info("agent checks are answered on %s", self.agent_address)
        return agent

    async def _follow(self) -> None:
        if self._settings.poll_seconds:
            await self._lifecycle.follow(self._settings.poll_seconds)

    async def _listen(self, server: grpc.aio.Server) -> None:
        """Open the port, last of all: it accepts connections at once, even before `start`."""
        self.grpc_address = self._bind(server, "--grpc-address", self._settings.grpc_address)
        await server.start()

    def _bind(self, server: grpc.aio.Server, flag: str, address: str) -> str:
        """Open a port, with TLS where that is set; returns the address with the port that it is."""
        try:
            if self._identity is None:
                port = server.add_insecure_port(address)
            else:
                port = server.add_secure_port(address, tls.credentials(self._identity))
        except RuntimeError as error:
            why = "is in use or cannot be bound; stop what uses it, or choose another"
            raise StartupError(f"{flag} {address}: {why}") from error
        host = address.rpartition(":")[0]
        if self._gate is not None and self._identity is None and not is_loopback(address):
            log.warning(
                "tokens travel in clear to %s: set --tls-certificate, or let a proxy end TLS before it", address
            )
        return f"{host}:{port}"

    def _announce(self, seconds: float) -> None:
        names = ", ".join(self._registry.names)
        print(
            f"seq2serve {VERSION} is ready on {self.grpc_address} after {seconds:.1f} s: {names} "
            f"(metrics on http://{self.http_address}/metrics)"
        )
        where = "" if self.grpc_address == CLIENT_DEFAULT else f"--address {self.grpc_address} "
        hint = "" if self._supervised else f'Try: .venv/bin/seq2serve translate {where}"The weather is nice today."\n'
        print(hint, end="", flush=True)

    async def _watch(self, metrics: Metrics) -> int:
        """Wait for a signal; measure how late the loop wakes, and give up when an engine has died."""
        while not self._stop.is_set():
            expected = time.monotonic() + WATCH_SECONDS
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), WATCH_SECONDS)
            metrics.loop_woke(max(0.0, time.monotonic() - expected))
            states = await asyncio.to_thread(self._registry.observe)
            self._demand.observe([state.load for state in states], WATCH_SECONDS)
            self._refresh()
            if not self._registry.healthy:
                log.error("an engine has died: stopping, so that a supervisor starts this server afresh")
                self._hurried = True
                return 1
        return 0

    def _refresh(self) -> None:
        """Take up certificates and tokens whose files have changed."""
        if self._identity is not None:
            self._identity.refresh()
        if self._gate is not None:
            self._gate.refresh()

    async def _drain(self, server: grpc.aio.Server) -> None:
        """Ask for no more traffic, keep serving while others notice, then let what is in flight finish."""
        await self._health.set(False)
        delay = 0.0 if self._hurried else self._settings.drain_delay
        grace = self._settings.drain_grace
        log.info("draining: serving for %.1f s more, then %.1f s for what is in flight", delay, grace)
        await asyncio.sleep(delay)
        self._draining.set()
        end = time.monotonic() + grace
        await self._let_streams_end(grace / 2)
        # gRPC's own end of grace would cancel calls without a word, so ours comes first.
        grace = max(0.0, end - time.monotonic())
        stopping = asyncio.create_task(server.stop(grace + ANSWER_SECONDS))
        await self._finish(stopping, grace)
        if self._calls:
            log.warning("the grace of %.1f s is over: what is left fails with `draining`", self._settings.drain_grace)
            await asyncio.to_thread(self._registry.close)
        else:
            await server.stop(0)
        await stopping
        log.info("stopped")

    async def _let_streams_end(self, patience: float) -> None:
        """Serve on until streams have ended and their clients have noticed; the streams have `patience` seconds.

        A server that stops closes each connection with its last call. A client that is still writing then gets an
        error of the connection, and may never read the status that came before.
        """
        end = time.monotonic() + patience
        for edge in self._edges:
            # Where an engine has died, who calls is better off with another server at once.
            while edge.streams and self._registry.healthy and time.monotonic() < end:
                await edge.streams.end(min(WATCH_SECONDS, end - time.monotonic()))
                await asyncio.to_thread(self._registry.observe)
                if not edge.streams:
                    await asyncio.sleep(min(NOTICE_SECONDS, patience))

    async def _finish(self, stopping: asyncio.Task[None], grace: float) -> None:
        """Wait until all calls have ended, at most for the grace; gRPC may wait for some that ended long ago."""
        end, quiet = time.monotonic() + grace, 0
        while not stopping.done() and time.monotonic() < end and quiet < QUIET_ROUNDS:
            await asyncio.wait({stopping}, timeout=min(WATCH_SECONDS, max(0.0, end - time.monotonic())))
            quiet = 0 if self._calls else quiet + 1

    def _catch_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            if self._supervised:  # terminals and service managers signal all, and the supervisor passes it on
                return
            log.error("second signal: exiting at once")
            try:
                self._access.flush()
            finally:
                os._exit(128 + number)
        # Nobody who presses Ctrl-C has a load balancer to wait for.
        self._hurried = number == signal.SIGINT and sys.stdin is not None and sys.stdin.isatty()
        self._stop.set()
