"""No request, however hostile, gets more than an error of ours; `python -m benchmarks.fuzz` sends many more."""

from collections.abc import Iterator
from dataclasses import replace

import grpc
import pytest

from benchmarks.fuzz import drawn, fuzz
from seq2serve.v1 import translation_pb2
from service.errors import InternalError, QueueFull
from service.status import CODES, REASON_KEY, details
from tests.fuzz.requests import METHODS, Request
from tests.fuzz.verdict import Outcome, Verdict
from tests.server_process import ServerProcess

FEW = 600


@pytest.fixture(scope="module")
def own_server() -> Iterator[ServerProcess]:
    """Start a server that nobody else has asked, so that all that it logs is about this."""
    with ServerProcess("--log-level", "warning") as process:
        yield process


def test_hostile_requests_get_replies_or_our_errors(own_server: ServerProcess) -> None:
    """Every call is answered with a message or a reason, and the server is as it was."""
    verdict, faults = fuzz(own_server, drawn(FEW, seed=7), in_flight=16)
    assert [f"{wrong} --replay {request}" for request, wrong in verdict.violations] == []
    assert faults == []
    assert sum(verdict.counts.values()) == FEW
    assert {name for name, _, _ in verdict.counts} == {method.name for method in METHODS}
    translated = sum(count for (_, code, _), count in verdict.counts.items() if code == "OK")
    assert FEW / 5 < translated < FEW * 4 / 5, verdict.table()  # else it never came further than the first check


def test_the_same_seed_draws_the_same_requests() -> None:
    """What is printed of a violation can be sent again."""
    (first,), (again,), (other,) = (list(drawn(40, seed)) for seed in (3, 3, 4))
    assert first == again != other
    assert [Request.parse(str(request)) for request in first] == first


def refused(error: InternalError | QueueFull) -> Outcome:
    """Make what a client gets of an error."""
    trailers = ((REASON_KEY, error.reason), ("grpc-status-details-bin", details(error)))
    return Outcome([], CODES[error.reason], error.message, trailers)


FULL = refused(QueueFull("the line is full"))
MESSAGE = translation_pb2.TranslateResponse(request_id="one").SerializeToString()


@pytest.mark.parametrize(
    ("outcome", "wrong"),
    [
        (FULL, ""),
        (Outcome([MESSAGE], grpc.StatusCode.OK), ""),
        (Outcome([], grpc.StatusCode.UNKNOWN, "Traceback"), "UNKNOWN with reason ''"),
        (Outcome([], grpc.StatusCode.DEADLINE_EXCEEDED), "DEADLINE_EXCEEDED with reason ''"),
        (refused(InternalError("ours")), "INTERNAL with reason 'internal'"),
        (replace(FULL, code=grpc.StatusCode.UNAVAILABLE), "UNAVAILABLE with reason 'queue_full'"),
        (replace(FULL, trailers=FULL.trailers[:1]), "queue_full without ErrorInfo"),
        (replace(FULL, trailers=[FULL.trailers[0], *refused(InternalError("")).trailers[1:]]), "queue_full with the"),
        (Outcome([b"\x0a"], grpc.StatusCode.OK), "a reply that is no TranslateResponse"),
        (Outcome([], grpc.StatusCode.OK), "no reply"),
    ],
)
def test_what_is_no_error_of_ours_is_a_violation(outcome: Outcome, wrong: str) -> None:
    """The judge finds each kind of bad answer, and no fault with a good one."""
    verdict = Verdict()
    verdict.judge(Request(METHODS[0], (b"",)), outcome)
    assert [found.startswith(wrong) for _, found in verdict.violations[:1]] == ([True] if wrong else [])


@pytest.mark.parametrize(
    ("code", "reason", "wrong"), [(0, "", 0), (8, "queue_full", 0), (13, "internal", 1), (3, "", 1)]
)
def test_items_are_judged_as_calls_are(code: int, reason: str, wrong: int) -> None:
    """A batch that is answered may still hold an item that failed as none may."""
    result = translation_pb2.TranslateResult(status=translation_pb2.ItemStatus(code=code, reason=reason))
    reply = translation_pb2.TranslateBatchResponse(results=[result]).SerializeToString()
    batch = next(method for method in METHODS if method.name == "TranslateBatch")
    verdict = Verdict()
    verdict.judge(Request(batch, (b"",)), Outcome([reply], grpc.StatusCode.OK))
    assert len(verdict.violations) == wrong
