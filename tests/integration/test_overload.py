"""Who cannot be served is told so at once, with a reason, and with the time to come again where that is known."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from seq2serve import Client, DeadlineExceeded, QueueFull
from seq2serve.v1 import options_pb2, translation_pb2, translation_pb2_grpc
from tests.eventually import eventually
from tests.integration.conftest import scrape
from tests.server_process import ServerProcess

Request = translation_pb2.TranslateRequest
Stub = translation_pb2_grpc.TranslationServiceStub
LONG = "The old man walked slowly along the river and looked at the boats, the birds and the clouds. " * 6
SLOW = Request(text=LONG, options=options_pb2.DecodeOptions(beam_size=5, min_length=200, max_length=250))


@contextmanager
def connect(server: ServerProcess) -> Iterator[Stub]:
    """Open a stub that tries nothing again."""
    with grpc.insecure_channel(server.address, options=[("grpc.enable_retries", 0)]) as channel:
        yield Stub(channel)


def error_of(call: Callable[[], Any]) -> grpc.RpcError | None:
    """Return how a call failed, if it did."""
    try:
        call()
    except grpc.RpcError as error:
        return error
    return None


def reason(error: grpc.RpcError) -> str:
    """Return the trailer that names the cause."""
    return str(dict(error.trailing_metadata())["seq2serve-reason"])


def retry_delay(error: grpc.RpcError) -> tuple[float, float] | None:
    """Return the seconds after which to come again, as details and trailer say it; none where they do not."""
    trailers = dict(error.trailing_metadata())
    info = error_details_pb2.RetryInfo()
    found = [
        info.retry_delay.ToTimedelta().total_seconds()
        for packed in status_pb2.Status.FromString(trailers["grpc-status-details-bin"]).details
        if packed.Unpack(info)
    ]
    pushback = trailers.get("grpc-retry-pushback-ms")
    assert len(found) == (pushback is not None)
    return (found[0], int(pushback) / 1000) if pushback else None


def test_a_full_line_refuses_and_says_when_to_come_again() -> None:
    """Of many at once some are served and the others refused, each with a time; nobody gets another status."""
    with ServerProcess("--slots", "2", "--queue-limit", "4", "--max-beam-size", "2") as server, connect(server) as stub:
        with ThreadPoolExecutor(40) as pool:
            errors = list(pool.map(lambda _: error_of(lambda: stub.Translate(Request(text=LONG))), range(120)))
        refused = [error for error in errors if error]
        assert 0 < len(refused) < len(errors)
        for error in refused:
            assert (error.code(), reason(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "queue_full")
            delay = retry_delay(error)
            assert delay is not None
            assert 0 < delay[0] <= delay[1]
        figures = scrape(server.http)
        assert figures["seq2serve_requests_rejected_total{queue_full}"] == len(refused)
        assert figures["seq2serve_slots_active"] == figures["seq2serve_queue_requests"] == 0


def test_our_client_obeys_and_is_served_in_the_end() -> None:
    """A client with the shipped retry policy comes again when it is told to."""
    with ServerProcess("--slots", "2", "--queue-limit", "6", "--max-beam-size", "2") as server:
        with Client(server.address) as client, ThreadPoolExecutor(10) as pool:

            def translate(number: int) -> str | QueueFull:
                try:
                    return str(client.translate("The sun is shining."))
                except QueueFull as error:
                    return error

            found = list(pool.map(translate, range(60)))
        refusals = [error for error in found if isinstance(error, QueueFull)]
        assert len(set(found) - set(refusals)) == 1
        assert len(refusals) < 6
        assert all(error.retry_after for error in refusals)


def test_a_deadline_that_cannot_be_met_is_refused_and_not_waited_for() -> None:
    """Behind much work, a call with little time is refused; one with more time is served."""
    with ServerProcess("--slots", "5", "--threads", "1") as server, connect(server) as stub:
        ahead = [stub.Translate.future(SLOW)]
        # Those that come with it are encoded with it, and nobody passes who is encoded.
        assert eventually(lambda: scrape(server.http)["seq2serve_slots_active"] == 5)
        ahead += [stub.Translate.future(SLOW) for _ in range(7)]
        assert eventually(lambda: scrape(server.http)["seq2serve_queue_requests"] >= 6)
        urgent = stub.Translate.future(Request(text="Hello.", priority=10), timeout=60)  # while the first is running
        error = error_of(lambda: stub.Translate(SLOW, timeout=0.3))
        assert error is not None
        assert (error.code(), reason(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "deadline_unmeetable")
        assert "too late for its deadline in 0." in error.details()
        assert retry_delay(error) is None
        assert urgent.result().hypotheses[0].text
        assert not all(call.done() for call in ahead)  # it passed them
        for call in ahead:
            call.cancel()


def test_a_text_without_a_deadline_has_the_server_s() -> None:
    """Time that is over ends a call, an item and a stream alike; the slot is free, and metrics tell why."""
    with ServerProcess("--default-deadline", "0.02", "--threads", "1") as server, connect(server) as stub:
        error = error_of(lambda: stub.Translate(SLOW))
        assert error is not None
        assert (error.code(), reason(error)) == (grpc.StatusCode.DEADLINE_EXCEEDED, "deadline_exceeded")
        (result,) = stub.TranslateBatch(translation_pb2.TranslateBatchRequest(items=[SLOW])).results
        assert (result.status.code, result.status.reason) == (4, "deadline_exceeded")
        stream = error_of(lambda: list(stub.TranslateStream(SLOW)))
        assert stream is not None
        assert reason(stream) == "deadline_exceeded"
        with Client(server.address) as client, pytest.raises(DeadlineExceeded):
            client.translate(LONG, beam_size=5, min_length=200, timeout=0.01)
        figures = scrape(server.http)
        assert figures["seq2serve_requests_finished_total{deadline}"] >= 3
        assert eventually(lambda: not scrape(server.http)["seq2serve_slots_active"])


def test_each_client_has_its_share() -> None:
    """Who has used its pieces is refused and told when there are some again; others are served."""
    with ServerProcess("--client-tokens-per-second", "2") as server, connect(server) as stub:

        def call(name: str) -> grpc.RpcError | None:
            return error_of(lambda: stub.Translate(Request(text=LONG), metadata=[("seq2serve-client", name)]))

        assert call("greedy") is None
        error = call("greedy")
        assert error is not None
        assert (error.code(), reason(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "client_limit")
        delay = retry_delay(error)
        assert delay is not None
        assert delay[1] >= delay[0] > 1
        assert "'greedy' has used its 2 source pieces a second" in error.details()
        assert call("modest") is None
        bad = call("x" * 129)
        assert bad is not None
        assert (bad.code(), reason(bad)) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_option")
        batch = translation_pb2.TranslateBatchRequest(items=[Request(text="Hello."), Request(text=LONG)])
        results = stub.TranslateBatch(batch, metadata=[("seq2serve-client", "greedy")]).results
        assert {result.status.reason for result in results} == {"client_limit"}
        assert all(result.status.retry_after.seconds > 1 for result in results)
        assert eventually(lambda: '"client": "greedy"' in server.log())
