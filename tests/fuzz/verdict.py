"""What a reply to any request may be: a message, or one of our errors; everything else is a violation."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import grpc
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from seq2serve.v1 import translation_pb2
from service.status import CODES, DOMAIN, REASON_KEY
from tests.fuzz.requests import Request

OURS = ("internal",)  # reasons that blame the server


@dataclass(frozen=True)
class Outcome:
    """Hold what came back: the messages, and the status with its trailers."""

    messages: Sequence[bytes]
    code: grpc.StatusCode
    details: str = ""
    trailers: Sequence[tuple[str, str | bytes]] = ()


@dataclass
class Verdict:
    """Count outcomes by method, code and reason, and keep those that must not be."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    violations: list[tuple[Request, str]] = field(default_factory=list)

    def judge(self, request: Request, outcome: Outcome) -> None:
        """Count one outcome, and look for what is wrong with it."""
        trailers = dict(outcome.trailers)
        reason = str(trailers.get(REASON_KEY, ""))
        self.counts[request.method.name, outcome.code.name, reason] += 1
        for wrong in [*_wrong_messages(request, outcome), *_wrong_status(outcome, reason, trailers)]:
            self.violations.append((request, wrong))

    def table(self) -> str:
        """Write the counts, a line each."""
        rows = sorted(self.counts.items())
        return "\n".join(f"{count:8d}  {method:16} {code:20} {reason}" for (method, code, reason), count in rows)


def _wrong_status(outcome: Outcome, reason: str, trailers: dict[str, str | bytes]) -> Iterator[str]:
    if outcome.code is grpc.StatusCode.OK:
        return
    if reason in OURS or CODES.get(reason) is not outcome.code:
        yield f"{outcome.code.name} with reason {reason!r}: {outcome.details}"
        return
    status = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
    info = error_details_pb2.ErrorInfo()
    if not (status.details and status.details[0].Unpack(info)):
        yield f"{reason} without ErrorInfo"
    if (status.code, info.reason, info.domain) != (outcome.code.value[0], reason.upper(), DOMAIN):
        yield f"{reason} with the details {status.code} {info.reason!r} {info.domain!r}"


def _wrong_messages(request: Request, outcome: Outcome) -> Iterator[str]:
    kind = GetMessageClass(request.method.output_type)
    try:
        replies = [kind.FromString(message) for message in outcome.messages]
    except DecodeError as error:
        yield f"a reply that is no {kind.DESCRIPTOR.name}: {error}"
        return
    if outcome.code is grpc.StatusCode.OK and not (replies or request.method.client_streaming):
        yield "no reply"
    for status in (result.status for reply in replies for result in _results(reply)):
        reason = "OK" if not status.code else status.reason
        expected = 0 if not status.code else CODES[reason].value[0] if reason in CODES else -1
        if reason in OURS or status.code != expected:
            yield f"an item with status {status.code} {status.reason!r}: {status.message}"


def _results(reply: Message) -> Sequence[translation_pb2.TranslateResult]:
    if isinstance(reply, translation_pb2.TranslateBatchResponse):
        return reply.results
    return [reply] if isinstance(reply, translation_pb2.TranslateResult) else []
