"""Whether a server answers, is healthy, and translates with each of its models."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import grpc

from seq2serve.client import Client
from seq2serve.doctor.finding import Finding, Level
from seq2serve.errors import Seq2ServeError
from seq2serve.model import Model
from seq2serve.plain import seconds

SENTENCE = "Good morning."
_HEALTH = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"  # HealthCheckResponse with the status SERVING


def check_reached(channel: grpc.Channel, address: str, timeout: float) -> Finding:
    """Connect."""
    started = time.monotonic()
    try:
        grpc.channel_ready_future(channel).result(timeout)
    except grpc.FutureTimeoutError:
        if _listens(address, timeout):
            fix = "TLS on one side alone is the usual cause: --tls, --tls-ca FILE, or none of them"
            return Finding(Level.FAULT, "connection", f"something listens at {address}, and speaks otherwise", fix)
        fix = "start a server (make serve, docker compose up -d), or name another with --address HOST:PORT"
        return Finding(Level.FAULT, "connection", f"nothing answers at {address}", fix)
    return Finding(Level.OK, "connection", f"{address}, after {1000 * (time.monotonic() - started):.0f} ms")


def check_health(channel: grpc.Channel, timeout: float) -> Finding:
    """Ask the standard health service."""
    check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_HEALTH)
    try:
        status = check(b"", timeout=timeout)
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            return Finding(Level.NOTE, "health", "is not served", "a seq2serve server does: is this another one?")
        return Finding(Level.FAULT, "health", f"{error.code().name}: {error.details()}", "look at the server's log")
    if status != _SERVING:
        fix = "it drains, or has lost an engine: wait, or look at its log"
        return Finding(Level.FAULT, "health", "NOT_SERVING", fix)
    return Finding(Level.OK, "health", "SERVING")


def check_models(client: Client, timeout: float) -> Iterator[Finding]:
    """Ask for all models, and let each translate a sentence."""
    try:
        models = client.models(timeout=timeout)
    except Seq2ServeError as error:
        yield Finding(Level.FAULT, "models", f"{error} ({error.reason})", _fix(error))
        return
    if not models:
        yield Finding(Level.FAULT, "models", "none is served", "put a bundle into the server's model repository")
    for model in models:
        yield _check_model(client, model, timeout)
        for status in model.message.versions:
            if status.message and model.versions[status.version] == "end" and status.message != "unloaded":
                found = f"version {status.version} was refused: {status.message}"
                yield Finding(Level.NOTE, model.name, found, "python -m service doctor on the server says more")


def _check_model(client: Client, model: Model, timeout: float) -> Finding:
    named = f"{model.name}:{model.version}"
    on = f"{model.provider} in {model.precision}"
    started = time.monotonic()
    try:
        reply = client.translate(SENTENCE, model=named, timeout=timeout)
    except Seq2ServeError as error:
        return Finding(Level.FAULT, named, f"on {on}: {error} ({error.reason})", _fix(error))
    if not str(reply).strip():
        return Finding(Level.FAULT, named, f"on {on}: says nothing to {SENTENCE!r}", "go back to another version")
    whole = time.monotonic() - started
    inside = seconds(reply.message.timing.total)
    return Finding(
        Level.OK, named, f"on {on}: {1000 * inside:.0f} ms, and {1000 * max(0.0, whole - inside):.0f} ms on the way"
    )


def _fix(error: Seq2ServeError) -> str:
    fixes = {
        "unauthenticated": "show a token: --token-file FILE, or SEQ2SERVE_TOKEN",
        "permission_denied": "use a token with the scope `translate`",
        "queue_full": "add replicas: the line is full",
        "deadline_unmeetable": "add replicas, or allow more time with --timeout",
    }
    return fixes.get(error.reason, "look for the request in the server's log")


def _listens(address: str, timeout: float) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout):
            return True
    except (OSError, ValueError):
        return False
