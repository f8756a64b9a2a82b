import json

import grpc


def test_a_pair(run, server) -> None:
    assert run("score", "hi", "ho", "--model", "en-de:1", "--truncate") == (0, "-0.2500\t-0.7500\n", "")
    [request] = server.score_requests
    assert (request.source_text, request.target_text, request.model.version) == ("hi", "ho", 1)
    assert request.input.truncate


def test_a_pair_as_json(run) -> None:
    reply = json.loads(run("score", "hi", "ho", "--json", "--token-scores")[1])
    assert (reply["score"], reply["log_probability"]) == (-0.25, -0.75)
    assert reply["hypothesis"]["token_scores"] == [-0.25] * 3
    assert reply["resolved_model"] == {"name": "en-de", "version": 1}


def test_pairs_of_pieces(run, server) -> None:
    run("score", "--pieces", stdin="▁a b\t▁c\n".encode())
    [request] = server.score_requests
    assert list(request.source_tokens.pieces) == ["▁a", "b"]
    assert list(request.target_tokens.pieces) == ["▁c"]


def test_lines_keep_their_places(run, server) -> None:
    def scoring(request, context):
        if request.source_text == "bad":
            server.failing(grpc.StatusCode.INVALID_ARGUMENT, "source_too_long", "too long")(request, context)
        return server.score(request, context)

    server.scoring = scoring
    code, output, messages = run("score", "--request-id", "job", stdin=b"a\tb\n\nbad\tb\na\t\na\nlast\tbcd\n")
    assert code == 1
    assert output == "-0.2500\t-0.5000\n\n\n-0.2500\t-0.2500\n\n-0.2500\t-1.0000\n"
    assert messages.splitlines() == [
        "seq2serve: line 3: too long (source_too_long, request request-7)",
        "seq2serve: line 5: not a source, one tab and a target",
    ]
    assert {request.request_id for request in server.score_requests} == {"job-1", "job-3", "job-4", "job-6"}


def test_lines_as_json(run, tmp_path) -> None:
    path = tmp_path / "pairs"
    path.write_bytes(b"a\tb\nno tab\n")
    code, output, _ = run("score", "--json", "--file", str(path))
    first, second = map(json.loads, output.splitlines())
    assert code == 1
    assert (first["line"], first["score"], first["hypothesis"]["text"]) == (1, -0.25, "b")
    assert second == {
        "line": 2,
        "error": "not a source, one tab and a target",
        "score": None,
        "log_probability": None,
    }


def test_no_server(run, server, dead_address: str) -> None:
    server.address = dead_address
    assert run("score", "a", "b")[0] == 69
