"""One RPC at the edge: its id, its access-log line, its metrics, and the status that its errors become."""

import asyncio
import inspect
import logging
import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import grpc
from google.protobuf.message import DecodeError

from service.access import AccessLog
from service.deadline import is_over
from service.draining import Streams
from service.errors import InternalError, InvalidRequest, MalformedRequest, ServiceError
from service.logs import trail
from service.metrics.edge import Metrics
from service.status import CLIENT_KEY, CODES, PUSHBACK_KEY, REASON_KEY, REPLICA_KEY, REQUEST_ID_KEY, details
from service.tokens import AUTHORIZATION, Gate
from service.tracing import Tracing

log = logging.getLogger("service.call")
# grpc's own classes are generic in the type stubs alone.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
T = TypeVar("T")
MAX_KEY = 128
OWN = "/grpc."  # services of gRPC itself


@dataclass
class Call:
    """Collect what the access log says of an RPC; never its text."""

    request_id: str
    method: str
    peer: str
    started_at: float = field(default_factory=time.monotonic)
    deadline: float = math.inf  # monotonic seconds
    client: str = ""  # whose share it takes: the name of its token, where there are tokens
    priority: int = 0  # of texts that name none
    model: str = ""
    reason: str = ""
    trace_id: str = ""  # of the caller's trace, or ours, if it is kept
    span: Any = None  # of OpenTelemetry, where a collector is set
    stages: dict[str, float] = field(default_factory=dict)  # seconds
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # for one piece of heavy work at a time


_current: ContextVar[Call] = ContextVar("call")


def current_call() -> Call:
    """Return the call that the running task serves."""
    return _current.get()


def check_key(key: str, field_name: str = "request_id") -> str:
    """Return a caller's word for a request, or for itself, that is fit for logs and trailers.

    Raises:
        InvalidRequest: it is too long, or not printable ASCII.
    """
    if len(key) > MAX_KEY or not (key.isascii() and key.isprintable()):
        raise InvalidRequest.field(field_name, f"must be at most {MAX_KEY} printable ASCII characters")
    return key


class _Malformed:
    """Stand for a message that did not parse."""


class EdgeInterceptor(grpc.aio.ServerInterceptor):
    """Wrap every method of one server, so that servicers only return replies and raise ServiceError."""

    def __init__(
        self, metrics: Metrics, tracing: Tracing, access: AccessLog, gate: Gate | None = None, replica: str = ""
    ) -> None:
        """Take what admits callers, None admits everybody, and the name that each reply has of this server."""
        self.calls = 0  # being handled, those of gRPC's own services not counted: a watched health never ends
        self.streams = Streams()
        self._metrics = metrics
        self._tracing = tracing
        self._access = access
        self._gate = gate
        self._handlers: dict[str, Handler] = {}  # of methods that there are
        self._replica = ((REPLICA_KEY, replica),) if replica else ()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Replace the handler of a method by one that parses, observes and translates errors."""
        method = handler_call_details.method
        if method not in self._handlers:
            handler = await continuation(handler_call_details)
            if handler is None:  # no such method: gRPC answers UNIMPLEMENTED
                return handler
            self._handlers[method] = self._wrap(method, handler)
        return self._handlers[method]

    def _wrap(self, method: str, handler: "grpc.RpcMethodHandler[Any, Any]") -> Handler:
        parse = _parser(handler.request_deserializer)
        if handler.unary_unary:
            wrapped = self._unary(method, handler.unary_unary)
            return grpc.unary_unary_rpc_method_handler(wrapped, parse, handler.response_serializer)
        if handler.unary_stream:
            wrapped = self._stream(method, handler.unary_stream, _checked)
            return grpc.unary_stream_rpc_method_handler(wrapped, parse, handler.response_serializer)
        if handler.stream_stream:
            wrapped = self._counted(method, self._stream(method, handler.stream_stream, _checked_items))
            return grpc.stream_stream_rpc_method_handler(wrapped, parse, handler.response_serializer)
        raise TypeError(f"{method}: client-streaming methods are not part of the API")

    def _unary(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def handle(request: Any, context: Context) -> Any:
            return await self._observe(method, context, "unary", lambda: behaviour(_checked(request), context))

        return handle

    def _stream(self, method: str, behaviour: Callable[..., Any], check: Callable[[Any], Any]) -> Callable[..., Any]:
        async def write(request: Any, context: Context) -> None:
            """Write the replies from here: a generator left to gRPC would be closed late, and by another task."""
            replies = behaviour(check(request), context)
            if not inspect.isasyncgen(replies):  # gRPC's own services write themselves
                await replies
                return
            async with aclosing(replies):
                async for reply in replies:
                    await context.write(reply)

        async def handle(request: Any, context: Context) -> None:
            await self._observe(method, context, "stream", lambda: write(request, context))

        return handle

    def _counted(self, method: str, write: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        """Count a stream as open until it has failed, and its status was sent, or all that it says was."""
        if method.startswith(OWN):
            return write

        async def count(request: Any, context: Context) -> None:
            with self.streams.one():
                await write(request, context)

        return count

    async def _observe(self, method: str, context: Context, kind: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work of a call, and return what it does, unless it ends with a status of its own."""
        call = Call(f"{random.getrandbits(128):032x}", method, context.peer())
        counted = not method.startswith(OWN)
        self.calls += counted
        token = _current.set(call)
        self._metrics.call_started(method, kind)
        try:
            given = dict(context.invocation_metadata() or ())
            if counted:
                self._tracing.begin(call, given)
            if REQUEST_ID_KEY in given:
                call.request_id = check_key(str(given[REQUEST_ID_KEY]), REQUEST_ID_KEY) or call.request_id
            if self._gate is None:  # else the client is who its token says
                call.client = check_key(str(given.get(CLIENT_KEY, "")), CLIENT_KEY)
            left = context.time_remaining()
            if left is not None:
                call.deadline = call.started_at + left
            if self._gate is not None:
                _admit(self._gate, call, given.get(AUTHORIZATION))
            done = await work()
        except (asyncio.CancelledError, GeneratorExit):
            late = is_over(call.deadline, call.started_at, time.monotonic())
            call.reason = "deadline_exceeded" if late else "cancelled"
            self._ended(call, kind, grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED)
            raise
        except grpc.aio.AbortError:  # gRPC's own services answer so
            self._ended(call, kind, grpc.StatusCode(context.code()))
            raise
        except Exception as error:
            if not isinstance(error, ServiceError):
                log.error("call %s of %s failed: %s", call.request_id, method, trail(error))
                error = InternalError("the server failed on this call; its log has the cause")
            call.reason = error.reason
            self._ended(call, kind, CODES[error.reason])
            await context.abort(CODES[error.reason], error.message, (*_error_trailers(call, error), *self._replica))
        else:
            context.set_trailing_metadata(((REQUEST_ID_KEY, call.request_id), *self._replica))
            self._ended(call, kind, grpc.StatusCode.OK)
            return done
        finally:
            self.calls -= counted
            _current.reset(token)

    def _ended(self, call: Call, kind: str, code: grpc.StatusCode) -> None:
        """Count a call before its status leaves, so that who has the reply can see that; its line is noted."""
        seconds = time.monotonic() - call.started_at
        self._metrics.call_handled(call.method, kind, code.name, call.reason, seconds, call.trace_id)
        self._tracing.end(call, code.name)
        self._access.note(call, code.name, seconds)


def _admit(gate: Gate, call: Call, authorization: str | bytes | None) -> None:
    caller = gate.caller(call.method, authorization)
    if caller is not None:
        call.client = caller.name  # in the log, also when it is refused now
        caller.check(call.method)


def _error_trailers(call: Call, error: ServiceError) -> tuple[tuple[str, str | bytes], ...]:
    after = error.retry_after
    return (
        *(() if after is None else ((PUSHBACK_KEY, str(math.ceil(1000 * after))),)),
        (REASON_KEY, error.reason),
        (REQUEST_ID_KEY, call.request_id),
        ("grpc-status-details-bin", details(error)),
    )


def _parser(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    """Parse without raising: an exception here would reach the client as UNKNOWN, with the exception's text."""

    def parse(raw: bytes) -> Any:
        try:
            return deserialize(raw) if deserialize else raw
        except (DecodeError, ValueError):
            return _Malformed()

    return parse


def _checked(message: Any) -> Any:
    if isinstance(message, _Malformed):
        raise MalformedRequest("the bytes are not the message that this method takes: compile the .proto again")
    return message


async def _checked_items(messages: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for message in messages:
        yield _checked(message)
