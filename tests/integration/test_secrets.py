"""Texts and tokens are nowhere but in the replies: not in logs at any level, not in metrics, not in others' errors."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from benchmarks.peers.infer import METHOD, request
from seq2serve import Client, InternalError, InvalidOption, PermissionDenied, Seq2ServeError, SourceTooLong
from seq2serve.v1 import options_pb2, translation_pb2, translation_pb2_grpc
from service.tokens import digest_of
from tests.eventually import eventually
from tests.fault import FAULT
from tests.server_process import ServerProcess

TEXT, TOKEN = "Quetzalcoatl", "Xochipilli"  # no word of ours, so that whatever shows them has leaked them
READER, OPERATOR, STRANGER = (f"{TOKEN}-{name}" for name in ("reader", "operator", "stranger"))


@pytest.fixture(params=["json", "console"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    """Start a server that logs all it can, can be made to fail, and asks for tokens."""
    file = tmp_path / "tokens"
    grants = ((READER, "translate"), (OPERATOR, "admin"))
    file.write_text("".join(f"somebody {scope} {digest_of(token).hex()}\n" for token, scope in grants))
    flags = ("--token-file", str(file), "--log-level", "debug", "--log-format", request.param)
    with ServerProcess(*flags, module="tests.faulty_server") as process:
        yield process


def message_of(client: Client, text: object, kind: type[Seq2ServeError], **options: object) -> str:
    """Return what a call that must fail is told."""
    with pytest.raises(kind) as error:
        client.translate(text, **options)  # type: ignore[arg-type]
    return str(error.value)


def good(client: Client) -> None:
    """Send the text by each method, and in each place that takes one."""
    text = f"{TEXT} sleeps on <b>the stove</b>. See https://{TEXT}.example."
    transfers = {"transfer_tags": True, "transfer_urls": True, "glossary": {TEXT: TEXT}}
    assert TEXT in client.translate(text, scores=True, alignment="hard", **transfers).text  # type: ignore[arg-type]
    assert client.translate("Good morning.", target_prefix=f"{TEXT} ist", split_sentences=False).text
    assert list(client.translate_stream(text))
    assert client.translate_batch([text, f"{TEXT} {FAULT}"])
    assert len(list(client.translate_bulk([text, f"{TEXT} {FAULT}", "", f"{TEXT} " * 3000]))) == 4
    assert client.score(text, TEXT).score


def infer(server: ServerProcess) -> None:
    """Send the text by KServe's methods, and one that fails; as bytes, as others here bring its messages, too."""
    metadata = (("authorization", f"Bearer {READER}"),)
    good, bad = (request("en-de", text, "text_input", (1,)) for text in (TEXT, f"{TEXT} {FAULT}"))
    with grpc.insecure_channel(server.address) as channel:
        assert channel.unary_unary(METHOD)(good, metadata=metadata)
        stream = channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")
        replies = list(stream(iter([good, bad]), metadata=metadata))
    assert [b"the server failed" in reply for reply in replies] == [False, True]


def test_the_marker_is_in_replies_alone(server: ServerProcess) -> None:
    """After calls of every kind, neither what is logged nor what is counted shows a text or a token."""
    with Client(server.address, token=READER) as client:
        good(client)
        infer(server)
        said = [
            message_of(client, f"{TEXT} {FAULT}", InternalError),
            message_of(client, f"{TEXT} " * 3000, SourceTooLong),
            message_of(client, f"{TEXT} ", InvalidOption, beam_size=99),
            message_of(client, "Hi.", InvalidOption, glossary={TEXT: " "}),
            message_of(client, "Hi.", InvalidOption, request_id=f"{TEXT}\n"),
        ]
        quoting = [
            message_of(client, "Hi.", Seq2ServeError, model=TEXT),
            message_of(client, "Hi.", Seq2ServeError, source_language=TEXT, target_language="de"),
            message_of(client, "Hi.", InvalidOption, end_tokens=[TEXT]),
        ]
    for token, kind in ((STRANGER, Seq2ServeError), (OPERATOR, PermissionDenied), (None, Seq2ServeError)):
        with Client(server.address, token=token) as client:
            said.append(message_of(client, TEXT, kind))
    said.append(malformed(server))
    with Client(server.address, token=READER) as client:
        client.translate("Good morning.", request_id="the-last")
    assert eventually(lambda: "the-last" in server.log())  # behind the lines of all others
    written = server.log() + metrics(server)
    assert '"code": "INTERNAL"' in written or "code=INTERNAL" in written
    assert "raised at" in written
    for marker in (TEXT, TOKEN):
        assert marker not in written
        assert not [message for message in said if marker in message]
    # Who names something that is not there is shown what it named; the names of others' texts stay out.
    assert not [message for message in quoting if TOKEN in message]
    assert TEXT in quoting[0]


def malformed(server: ServerProcess) -> str:
    """Send bytes that hold the marker and are no message."""
    sent, metadata = b"\xff" + TEXT.encode(), (("authorization", f"Bearer {READER}"),)
    with grpc.insecure_channel(server.address) as channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary("/seq2serve.v1.TranslationService/Translate")(sent, metadata=metadata)
    return str(error.value.details())


def metrics(server: ServerProcess) -> str:
    with urllib.request.urlopen(f"{server.http}/metrics", timeout=10) as reply:
        return str(reply.read().decode())


def test_a_cancelled_call_leaves_no_text(server: ServerProcess) -> None:
    """What is given up in the middle is logged without its text, too."""
    request = translation_pb2.TranslateRequest(
        text=f"{TEXT} and the river. " * 30, input=options_pb2.InputOptions(split_sentences=True)
    )
    with grpc.insecure_channel(server.address) as channel:
        stub = translation_pb2_grpc.TranslationServiceStub(channel)
        stream = stub.TranslateStream(request, metadata=(("authorization", f"Bearer {READER}"),))
        next(iter(stream))
        stream.cancel()
    server.stop()
    log = server.log()
    assert "CANCELLED" in log
    assert TEXT not in log
    assert TOKEN not in log
