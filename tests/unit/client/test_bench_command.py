"""`seq2serve bench` loads a server as its flags say, and prints what came of it."""

import json
import os
import signal
import subprocess
import threading
from collections import Counter
from pathlib import Path

import grpc
import pytest

from seq2serve.load.sentences import SENTENCES
from tests.interruptible import interruptible

CLIENT = Path(__file__).parents[3] / "client"
PATIENCE = 30.0  # no test waits that long
SMALL = ("--requests", "6", "--runs", "2", "--warm-up", "3", "--quiet")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.tsv"
    path.write_bytes("a\tx\n\nb\tschön\n".encode())
    return path


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_for_each_load(run) -> None:
    """Each number in flight gets one row below the head, with a cell for each figure."""
    code, output, messages = run("bench", "--in-flight", "1", "4", *SMALL)

    head, _, *rows = output.splitlines()
    assert (code, messages) == (0, "")
    assert cells(head) == [
        *("load", "replies/s", "tokens/s", "p50 ms", "p95 ms", "p99 ms", "goodput/s", "failed", "generator %")
    ]
    assert [cells(row)[0] for row in rows] == ["1 in flight", "4 in flight"]
    assert all(len(cells(row)) == len(cells(head)) and cells(row)[7] == "0" for row in rows)


def test_figures_as_json(run) -> None:
    """Each load is a JSON object with the figures of all runs and of each; tokens are those of the replies."""
    _, output, _ = run("bench", "--rate", "200", "400", "--slo", "30", "--json", *SMALL)

    first, second = map(json.loads, output.splitlines())
    assert (first["load"], second["load"]) == ({"rate": 200}, {"rate": 400})
    for load in first, second:
        assert load["figures"]["requests"] == {"median": 6, "low": 6, "high": 6}
        for one in load["runs"]:
            # The fake server says two tokens for each reply.
            assert one["tokens_per_second"] == pytest.approx(2 * one["throughput"])
            assert one["goodput"] == one["throughput"] > 0
            assert 0 < one["p50"] <= one["p95"] <= one["p99"] <= one["max"]


def test_only_the_runs_count(run, server) -> None:
    """One request goes ahead of all, and the warm-up ahead of each load; the figures hold neither."""
    _, output, _ = run("bench", "--in-flight", "2", "3", "--json", *SMALL)

    assert len(server.requests) == 1 + 2 * (3 + 2 * 6)
    assert all(one["requests"] == 6 for line in output.splitlines() for one in json.loads(line)["runs"])


def test_our_own_sentences(run, server) -> None:
    """Without a file the sentences are ours, each as often as the others."""
    run("bench", "--requests", str(2 * len(SENTENCES)), "--runs", "1", "--warm-up", "0", "--quiet")

    sent = Counter(request.text for request in server.requests[1:])
    assert sent == dict.fromkeys(SENTENCES, 2)


def test_sources_of_a_file(run, server, file: Path) -> None:
    """Of each line the source is sent; lines without one are left out."""
    run("bench", "--file", str(file), *SMALL)

    assert {request.text for request in server.requests} == {"a", "b"}


def test_options_of_the_translation(run, server, file: Path) -> None:
    """The flags of `translate` reach the server with every request."""
    run("bench", "--file", str(file), "--beam-size", "4", "--model", "en-de:2", "--pieces", *SMALL)

    assert {(request.options.beam_size, request.model.version) for request in server.requests} == {(4, 2)}
    assert {tuple(request.tokens.pieces) for request in server.requests} == {("a",), ("b",)}


def test_failures_are_counted_and_named(run, server, file: Path) -> None:
    """Requests that fail are counted, their first message is shown, and the exit code says so."""
    server.behaviours["b"] = server.failing(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue_full", "10 wait already")
    code, output, messages = run("bench", "--file", str(file), *SMALL)

    assert code == 1
    assert cells(output.splitlines()[-1])[7] == "3"
    assert (
        messages == "seq2serve: 64 in flight: 6 requests failed with RESOURCE_EXHAUSTED, the first: 10 wait already\n"
    )


def test_each_run_is_told_of(run) -> None:
    """A long measurement says on standard error how far it is."""
    *_, messages = run("bench", "--requests", "2", "--runs", "2", "--warm-up", "0")

    first, second = messages.splitlines()
    assert first.startswith("64 in flight, run 1 of 2: ")
    assert second.startswith("64 in flight, run 2 of 2: ")


def test_a_wrong_option_is_an_error_at_once(run, server) -> None:
    """What the server refuses in the first request is not sent again and again."""
    server.every = server.failing(grpc.StatusCode.INVALID_ARGUMENT, "invalid_option", "beam_size is 99")
    code, output, messages = run("bench", "--beam-size", "99", *SMALL)

    assert (code, output) == (1, "")
    assert "beam_size is 99 (invalid_option" in messages
    assert len(server.requests) == 1


def test_no_server(run, server, dead_address: str) -> None:
    """Nobody at the address has an exit code of its own, and the message says what to do."""
    server.address = dead_address
    code, output, messages = run("bench", *SMALL)

    assert (code, output) == (69, "")
    assert dead_address in messages
    assert "make serve" in messages


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (("--rate", "5", "--in-flight", "5"), "--in-flight: not allowed with argument --rate"),
        (("--requests", "5", "--seconds", "5"), "--seconds: not allowed with argument --requests"),
        (("--in-flight", "0"), "0 is less than 1"),
        (("--rate", "-1"), "-1 is not a positive number of requests per second"),
        (("--runs", "0"), "0 is less than 1"),
        (("--pieces",), "give --pieces with --file"),
    ],
)
def test_wrong_usage(run, server, capsys, args: tuple[str, ...], problem: str) -> None:
    """A wrong flag is named, and nothing is sent."""
    with pytest.raises(SystemExit) as caught:
        run("bench", *args)

    assert caught.value.code == 2
    assert problem in capsys.readouterr().err
    assert server.requests == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"\n \n\tx\n", "has no text: give a source"), (b"a\n\xff\n", "line 2: not UTF-8 at byte 1")],
)
def test_a_file_that_cannot_be_sent(run, capsys, tmp_path: Path, content: bytes, problem: str) -> None:
    """A file without a source, or with a line that is no text, is named."""
    path = tmp_path / "lines"
    path.write_bytes(content)
    with pytest.raises(SystemExit) as caught:
        run("bench", "--file", str(path))

    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert str(path) in message
    assert problem in message


def test_a_file_that_is_not_there(run, tmp_path: Path) -> None:
    """A missing file is wrong usage."""
    code, _, messages = run("bench", "--file", str(tmp_path / "none"))

    assert code == 2
    assert str(tmp_path / "none") in messages


@pytest.mark.usefixtures("in_background")
def test_an_interrupt_ends_it_cleanly(server) -> None:
    """Ctrl-C ends at once, without a traceback, and the loads that are complete are printed."""
    complete = 1 + 2 * 6
    held = threading.Event()

    def hold(request, context):
        if len(server.requests) > complete:
            held.set()
            return server.hang(request, context)
        return server.reply(request, context)

    server.every = hold
    flags = ("--in-flight", "2", "4", "--requests", "6", "--runs", "2", "--warm-up", "0", "--quiet")
    process = subprocess.Popen(
        interruptible("seq2serve", "bench", *flags),
        env=os.environ | {"PYTHONPATH": str(CLIENT), "SEQ2SERVE_ADDRESS": server.address},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert held.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
        output, messages = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.communicate()

    assert (process.returncode, messages) == (130, "")
    assert [cells(row)[0] for row in output.splitlines()[2:]] == ["2 in flight"]
