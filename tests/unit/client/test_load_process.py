"""The load generator of the benchmarks, as a process of its own."""

from pathlib import Path

import grpc
import pytest

from benchmarks.generator import generate, read_messages, write_messages
from seq2serve.load import ClosedLoop, Extent, OpenLoop, summarize
from seq2serve.v1 import translation_pb2

TEXTS = ("a", "b", "c")
PAYLOADS = [translation_pb2.TranslateRequest(text=text).SerializeToString() for text in TEXTS]


def text(reply: bytes) -> str:
    return translation_pb2.TranslateResponse.FromString(reply).hypotheses[0].text


@pytest.mark.parametrize("loop", [ClosedLoop(2), OpenLoop(rate=500)], ids=str)
def test_records_and_replies_come_back(server, loop) -> None:
    """The records of all requests but the warm-up's return, and a reply to each payload, in their order."""
    run, replies = generate(server.address, PAYLOADS, loop, Extent(requests=7), warm_up=2)

    assert len(server.requests) == 2 + 7
    assert (len(run.samples), summarize(run).failures) == (7, {})
    assert [text(reply) for reply in replies] == ["A", "B", "C"]
    assert run.cpu_seconds > 0


def test_a_failure_of_the_first_pass_stays_empty(server) -> None:
    """A payload that failed the first time has no reply, also where it went well later."""
    seen = []

    def once(request, context):
        seen.append(request)
        if len(seen) == 1:
            server.failing(grpc.StatusCode.INTERNAL, "internal")(request, context)
        return server.reply(request, context)

    server.behaviours["b"] = once
    run, replies = generate(server.address, PAYLOADS, ClosedLoop(1), Extent(requests=6))

    assert [reply and text(reply) for reply in replies] == ["A", b"", "C"]
    assert summarize(run).failures == {"INTERNAL": 1}


def test_a_generator_that_fails_says_why(dead_address: str) -> None:
    """The process's own message is in the error."""
    with pytest.raises(RuntimeError, match=f"no server answers at {dead_address}"):
        generate(dead_address, PAYLOADS, ClosedLoop(1), Extent(seconds=1))


def test_messages_survive_their_file(tmp_path: Path) -> None:
    """Messages of any length, also none, are read as they were written."""
    messages = [b"", b"a", bytes(1000)]
    write_messages(tmp_path / "messages", messages)

    assert read_messages(tmp_path / "messages") == messages


@pytest.mark.parametrize("lost", [1, 3, 5])
def test_a_file_that_ends_too_early(tmp_path: Path, lost: int) -> None:
    """A message that is cut off, also within its length, is an error and not a shorter message."""
    path = tmp_path / "messages"
    write_messages(path, [b"abc", b"xy"])
    path.write_bytes(path.read_bytes()[:-lost])

    with pytest.raises(ValueError, match="within message 2"):
        read_messages(path)
