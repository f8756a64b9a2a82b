"""The plain-HTTP side door: /metrics, /healthz and /readyz, on a thread of its own."""

import socket
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app

from service.errors import StartupError


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without the look-up of the host's name, which can hang where DNS does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep scrapes and probes out of the log."""


class Web:
    """Serve metrics and probes."""

    def __init__(
        self,
        address: str,
        registry: CollectorRegistry | None,
        ready: Callable[[], bool],
        served: Callable[[], Iterable[str]],
    ) -> None:
        """Listen on HOST:PORT; without a registry there is no /metrics.

        Each /readyz asks whether the server is `ready`, and what is `served`, a line each.

        Raises:
            StartupError: the address cannot be used.
        """
        self._metrics = make_wsgi_app(registry) if registry else None
        self._ready, self._served = ready, served
        host, _, port = address.rpartition(":")
        try:
            self._server = _Server(host.strip("[]"), int(port))
        except OSError as error:
            raise StartupError(f"--http-address {address}: {error.strerror}; choose a free one") from error
        self._server.set_app(self._answer)
        self.address = f"{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        match environ.get("PATH_INFO"):
            case "/metrics" if self._metrics:
                reply: Iterable[bytes] = self._metrics(environ, start_response)
                return reply
            case "/healthz":
                status, body = "200 OK", "alive\n"
            case "/readyz":
                status, body = ("200 OK", "ready") if self._ready() else ("503 Service Unavailable", "not ready")
                body = "".join(f"{line}\n" for line in (body, *self._served()))
            case _:
                status, body = "404 Not Found", "there are /metrics, /healthz and /readyz\n"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
        return [body.encode()]
