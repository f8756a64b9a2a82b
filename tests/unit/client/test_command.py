import itertools
import json
import os
import signal
import subprocess
import threading
from pathlib import Path

import grpc
import pytest

from seq2serve import command
from tests.interruptible import interruptible

CLIENT = Path(__file__).parents[3] / "client"


@pytest.fixture
def start(server):
    """Start the command as a process of its own."""
    processes = []

    def start(*args: str):
        process = subprocess.Popen(
            interruptible("seq2serve", *args),
            env=os.environ | {"PYTHONPATH": str(CLIENT), "SEQ2SERVE_ADDRESS": server.address},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_text(run) -> None:
    assert run("translate", "good day") == (0, "GOOD DAY\n", "")


def test_flags_reach_the_server(run, server) -> None:
    languages = ["--from", "en", "--to", "de"]
    run("translate", "hi", "--model", "en-de:2", *languages, "--max-length", "7", "--scores")
    [request] = server.requests
    assert (request.model.name, request.model.version) == ("en-de", 2)
    assert (request.source_language, request.target_language) == ("en", "de")
    assert (request.options.max_length, request.output.scores) == (7, True)


def test_scores(run) -> None:
    assert run("translate", "hi", "--scores")[1] == "-0.2000\tHI\n"


def test_all_hypotheses_of_a_text(run, server) -> None:
    def two(request, context):
        reply = server.reply(request, context)
        reply.hypotheses.add(text="second", score=-1)
        return reply

    server.every = two
    assert run("translate", "hi", "--num-hypotheses", "2")[1] == "HI\nsecond\n"
    assert run("translate", "hi", "--num-hypotheses", "2", "--scores")[1] == "-0.2000\tHI\n-1.0000\tsecond\n"


def test_stream_prints_text_as_it_comes(start, server) -> None:
    seen = threading.Event()

    def streaming(request, context):
        accepted, first, *rest = server.stream(request, context)
        yield from (accepted, first)
        assert seen.wait(30)
        yield from rest

    server.streaming = streaming
    process = start("translate", "good day", "--stream")
    assert process.stdout.read(4) == b"GOOD"
    seen.set()
    assert process.stdout.read() == b" DAY\n"
    assert process.wait(30) == 0


def test_stream_as_json(run) -> None:
    lines = [json.loads(line) for line in run("translate", "good day", "--stream", "--json")[1].splitlines()]
    assert lines[0] == {"delta": {"text": "GOOD", "tokens": ["GOOD"], "token_ids": [0], "token_scores": [-0.5]}}
    assert [line["delta"]["text"] for line in lines[:-1]] == ["GOOD", " DAY"]
    assert lines[-1]["final"]["text"] == "GOOD DAY"
    assert lines[-1]["final"]["usage"]["source_tokens"] == 3


def test_a_stream_that_fails_midway_ends_its_line(run, server) -> None:
    def streaming(request, context):
        yield from itertools.islice(server.stream(request, context), 2)
        server.failing(grpc.StatusCode.INTERNAL, "internal", "failed")(request, context)

    server.streaming = streaming
    code, output, messages = run("translate", "good day", "--stream")
    assert (code, output) == (1, "GOOD\n")
    assert messages == "seq2serve: failed (internal, request request-7)\n"


def test_lines_have_ids_of_their_own(run, server) -> None:
    run("translate", "--request-id", "job", stdin=b"a\nb\n")
    run("translate", "c", "--request-id", "job")
    assert sorted(request.request_id for request in server.requests) == ["job", "job-1", "job-2"]


def test_lines_of_pieces(run, server) -> None:
    run("translate", "--pieces", stdin="▁good ▁day\n".encode())
    [request] = server.requests
    assert list(request.tokens.pieces) == ["▁good", "▁day"]


def test_json_of_a_text(run) -> None:
    code, output, _ = run("translate", "hi", "--json", "--scores")
    reply = json.loads(output)
    assert code == 0
    assert reply["text"] == "HI"
    assert reply["resolved_model"] == {"name": "en-de", "version": 1}
    assert reply["hypotheses"] == [{"text": "HI", "score": -0.2, "finish_reason": "eos"}]
    assert reply["timing"]["total"] == 0.02


def test_standard_input(run) -> None:
    assert run("translate", stdin=b"a\n\n \nb") == (0, "A\n\n\nB\n", "")


def test_empty_lines_make_no_request(run, server) -> None:
    run("translate", stdin=b"\n \n")
    assert server.requests == []


def test_file_to_file(run, tmp_path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes("schön\nb\n".encode())
    assert run("translate", "-f", str(source), "-o", str(target)) == (0, "", "")
    assert target.read_text("utf-8") == "SCHÖN\nB\n"


def test_output_is_in_input_order_when_replies_are_not(run, server) -> None:
    second_done = threading.Event()

    def first(request, context):
        assert second_done.wait(30)
        return server.reply(request, context)

    def second(request, context):
        second_done.set()
        return server.reply(request, context)

    server.behaviours = {"first": first, "second": second}
    assert run("translate", stdin=b"first\nsecond\nthird\n")[1] == "FIRST\nSECOND\nTHIRD\n"


def test_in_flight_is_reached_and_never_passed(run, server) -> None:
    together = threading.Barrier(4)
    lock, now, most = threading.Lock(), 0, 0

    def behaviour(request, context):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        together.wait(30)  # passes only when four are here at once
        with lock:
            now -= 1
        return server.reply(request, context)

    server.every = behaviour
    text = "".join(f"{n}\n" for n in range(20))
    code, output, _ = run("translate", "--in-flight", "4", stdin=text.encode())
    assert (code, output) == (0, text)
    assert most == 4


def test_a_failed_line_keeps_its_place(run, server) -> None:
    server.behaviours["b"] = server.failing(
        grpc.StatusCode.INVALID_ARGUMENT, "source_too_long", "300 pieces, at most 256"
    )
    code, output, messages = run("translate", stdin=b"a\nb\nc\xff\nd\n")
    assert (code, output) == (1, "A\n\n\nD\n")
    assert messages.splitlines() == [
        "seq2serve: line 2: 300 pieces, at most 256 (source_too_long, request request-7)",
        "seq2serve: line 3: not UTF-8 at byte 2",
    ]


def test_json_lines(run, server) -> None:
    server.behaviours["b"] = server.failing(grpc.StatusCode.INTERNAL, "internal", "failed")
    code, output, _ = run("translate", "--json", stdin=b"a\nb\n\n")
    first, second, third = map(json.loads, output.splitlines())
    assert code == 1
    assert (first["line"], first["text"]) == (1, "A")
    assert (second["line"], second["text"]) == (2, "")
    assert second["error"] == "failed (internal, request request-7)"
    assert second["reason"] == "internal"
    assert third == {"line": 3, "text": ""}


def test_a_translation_with_line_ends_stays_on_its_line(run, server) -> None:
    def behaviour(request, context):
        reply = server.reply(request, context)
        reply.hypotheses[0].text = "one\ntwo\u2028three"
        return reply

    server.every = behaviour
    assert run("translate", stdin=b"a\n")[1] == "one two three\n"
    assert run("translate", "a")[1] == "one\ntwo\u2028three\n"


def test_a_failed_text(run, server) -> None:
    server.every = server.failing(grpc.StatusCode.NOT_FOUND, "model_not_found", "served: en-de")
    code, output, messages = run("translate", "a")
    assert (code, output) == (1, "")
    assert messages == "seq2serve: served: en-de (model_not_found, request request-7)\n"


@pytest.mark.parametrize("args", [("translate", "a"), ("translate",), ("models",)])
def test_no_server(args, run, server, dead_address: str) -> None:
    server.address = dead_address
    code, output, messages = run(*args, stdin=b"a\nb\n")
    assert (code, output) == (69, "")
    [line] = messages.splitlines()
    assert dead_address in line
    assert "make serve" in line


def test_models_table(run) -> None:
    code, output, _ = run("models")
    assert code == 0
    header, row = output.splitlines()
    assert header.startswith("MODEL              STATE      LANGUAGES  ARCHITECTURE ")
    assert row.startswith("en-de:1 (default)  available  en→de      gru, additive attention  ")
    assert row.endswith("  7,000,000   fp32       cpu")


def test_models_json(run) -> None:
    model = json.loads(run("models", "--json")[1])
    assert model["name"] == "en-de"
    assert model["version"] == 1
    assert model["state"] == "available"
    assert model["default_options"] == {"beam_size": 1, "max_length_ratio": 2.0}


@pytest.mark.parametrize(
    "args",
    [
        ["translate", "a", "--file", "b"],
        ["translate", "a", "--in-flight", "0"],
        ["translate", "a", "--timeout", "-1"],
        ["translate", "a", "--max-length", str(2**40)],
        ["translate", "\udcff"],
        ["translate", "--stream"],
        ["translate", "a", "--stream", "--scores"],
        ["translate", "a", "--stream", "--num-hypotheses", "2"],
        ["translate", "--num-hypotheses", "2"],
        ["translate", "a", "--tokens"],
        ["translate", "a", "--alignment", "hard"],
        ["translate", "a", "--alignment", "fuzzy", "--json"],
        ["translate", "a", "--target-prefix", "b", "--target-prefix-tokens", "b"],
        ["translate", "a", "--glossary-term", "cat"],
        ["score", "a"],
        ["score", "a", "b", "--file", "c"],
        ["score", "a", "b", "--beam-size", "2"],
        ["nonsense"],
    ],
)
def test_wrong_usage(args, capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(args)
    assert caught.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_missing_file_is_named(run, tmp_path) -> None:
    code, _, messages = run("translate", "-f", str(tmp_path / "missing"))
    assert code == 2
    assert str(tmp_path / "missing") in messages


def test_the_input_is_not_overwritten(run, tmp_path) -> None:
    path = tmp_path / "text"
    path.write_text("a\n")
    with pytest.raises(SystemExit):
        run("translate", "-f", str(path), "-o", str(path))
    assert path.read_text() == "a\n"


def test_version(capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("seq2serve ")


def test_address_from_the_environment(server, capsys, monkeypatch) -> None:
    monkeypatch.setenv("SEQ2SERVE_ADDRESS", server.address)
    assert command.main(["translate", "a"]) == 0
    assert capsys.readouterr().out == "A\n"


@pytest.mark.usefixtures("in_background")
def test_each_line_is_answered_at_once_and_ctrl_c_ends_quietly(start) -> None:
    process = start("translate")
    for text in (b"a\n", b"b\n"):
        process.stdin.write(text)
        process.stdin.flush()
        assert process.stdout.readline() == text.upper()
    process.send_signal(signal.SIGINT)
    # Standard input stays open: the command must not wait for it.
    assert process.wait(30) == 130
    assert process.stderr.read() == b""


def test_a_closed_pipe_ends_quietly(start, tmp_path) -> None:
    path = tmp_path / "many"
    path.write_text("a\n" + "\n" * 200_000)
    process = start("translate", "-f", str(path))
    assert process.stdout.readline() == b"A\n"
    process.stdout.close()
    assert process.wait(30) == 141
    assert process.stderr.read() == b""
