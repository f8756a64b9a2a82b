"""Rate, errors and duration of gRPC calls, under the names that stock dashboards know."""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge

from service.metrics.buckets import LATENCY
from service.metrics.histogram import Histogram, Observed
from service.status import CODES


class Calls:
    """Count the calls of every method."""

    def __init__(self, registry: CollectorRegistry) -> None:
        rpc = ["grpc_type", "grpc_service", "grpc_method"]
        self._started = Counter("grpc_server_started", "RPCs started.", rpc, registry=registry)
        self._handled = Counter("grpc_server_handled", "RPCs ended.", [*rpc, "grpc_code"], registry=registry)
        self._sent = Counter("grpc_server_msg_sent", "Unary replies sent.", rpc, registry=registry)
        self._handling = Histogram("grpc_server_handling_seconds", "Time to the end of an RPC.", rpc, LATENCY, registry)
        self._in_flight = Gauge("grpc_server_in_flight", "RPCs being handled.", ["grpc_method"], registry=registry)
        self._rejected = Counter(
            "seq2serve_requests_rejected", "Calls and items refused or failed.", ["reason"], registry=registry
        )
        for reason in (*CODES, "cancelled"):  # so that the first of each is an increase, too
            self._rejected.labels(reason)
        self._of_method, self._of_end = cache(self._children), cache(self._handled_child)

    def _children(self, method: str, kind: str) -> tuple[Counter, Gauge, Observed, Counter]:
        """Look the children up once: `labels` costs more than `observe`."""
        _, service, name = method.split("/", 2)
        labels = (kind, service, name)
        return (
            self._started.labels(*labels),
            self._in_flight.labels(name),
            self._handling.labels(*labels),
            self._sent.labels(*labels),
        )

    def _handled_child(self, method: str, kind: str, code: str) -> Counter:
        _, service, name = method.split("/", 2)
        return self._handled.labels(kind, service, name, code)

    def started(self, method: str, kind: str) -> None:
        """Count an RPC that begins; `method` is /package.Service/Method."""
        started, in_flight, _, _ = self._of_method(method, kind)
        started.inc()
        in_flight.inc()

    def handled(self, method: str, kind: str, code: str, reason: str, seconds: float, trace_id: str) -> None:
        """Count an RPC that ended with a status code and, if it failed, a reason."""
        _, in_flight, handling, sent = self._of_method(method, kind)
        in_flight.dec()
        handling.observe(seconds, trace_id)
        self._of_end(method, kind, code).inc()
        if reason:
            self.rejected(reason)
        elif kind == "unary" and code == "OK":
            sent.inc()

    def rejected(self, reason: str) -> None:
        """Count a call, or an item of one, that was refused or failed."""
        self._rejected.labels(reason).inc()
