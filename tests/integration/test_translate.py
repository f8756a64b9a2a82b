"""A translation through a real server, as clients see it."""

import asyncio
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from seq2serve import AsyncClient, Client
from seq2serve.v1 import model_pb2, model_pb2_grpc, options_pb2, translation_pb2, translation_pb2_grpc
from tests.server_process import ROOT, ServerProcess

BUNDLE = ROOT / "model_repository" / "en-de" / "1"
GOLDEN = json.loads((BUNDLE / "manifest.json").read_text())["golden"]
SENTENCES = [
    "Good morning.",
    "Where did you put the keys to the cellar?",
    "My brother works in a hospital, and his wife teaches music at a school near the river.",
    "It is late.",
    "The dog that barked all night belongs to the woman who lives above us.",
    "I do not think that he will come before Sunday, because the trains are not running.",
    "Yes!",
    "They had to sell the house that their grandfather had built with his own hands after the war.",
]


def translate_command(
    server: ServerProcess, *arguments: str, stdin: str | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run `seq2serve translate` against the server."""
    command = [sys.executable, "-m", "seq2serve", "translate", "--address", server.address, *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def test_golden_sentences_come_out_as_exported(translation: translation_pb2_grpc.TranslationServiceStub) -> None:
    """What the server says over gRPC is what PyTorch said at export, piece by piece."""
    for golden in GOLDEN:
        request = translation_pb2.TranslateRequest(
            text=golden["source"], output=options_pb2.OutputOptions(tokens=True, scores=True)
        )
        reply = translation.Translate(request)
        (hypothesis,) = reply.hypotheses
        assert hypothesis.text == golden["outputs"]["fp32"]["text"]
        assert list(hypothesis.token_ids) == golden["outputs"]["fp32"]["ids"]
        assert hypothesis.finish_reason == translation_pb2.FINISH_REASON_EOS
        assert len(reply.source_tokens) == reply.usage.source_tokens == len(golden["source_ids"])
        steps = len(hypothesis.token_ids) + 1
        assert hypothesis.score == pytest.approx(hypothesis.log_probability / steps)
        assert hypothesis.log_probability < 0


def test_a_server_without_tokens_ignores_them(server: ServerProcess) -> None:
    """A client that has one may call any server."""
    with Client(server.address, token="token-of-a-stranger") as client:
        assert client.translate("Good morning.").text


def test_reply_tells_where_the_time_went(translation: translation_pb2_grpc.TranslationServiceStub) -> None:
    """The stages are there, and are no longer than the whole; without `timing` they are not sent."""
    reply = translation.Translate(translation_pb2.TranslateRequest(text=SENTENCES[1]))
    parts = (
        reply.timing.tokenize,
        reply.timing.queue,
        reply.timing.encode,
        reply.timing.decode,
        reply.timing.detokenize,
    )
    seconds = [part.ToNanoseconds() / 1e9 for part in parts]
    assert all(value >= 0 for value in seconds)
    assert 0 < sum(seconds) <= reply.timing.total.ToNanoseconds() / 1e9
    assert reply.timing.decode_steps == reply.usage.target_tokens + 1
    assert reply.timing.mean_batch_size >= 1
    quiet = translation_pb2.TranslateRequest(text="Hello.", output=options_pb2.OutputOptions(timing=False))
    assert not translation.Translate(quiet).HasField("timing")
    assert not reply.hypotheses[0].HasField("score")
    assert not reply.hypotheses[0].tokens


def test_max_length_ends_a_translation(translation: translation_pb2_grpc.TranslationServiceStub) -> None:
    """A translation that reaches its limit says so."""
    options = options_pb2.DecodeOptions(max_length=2)
    reply = translation.Translate(translation_pb2.TranslateRequest(text=SENTENCES[2], options=options))
    assert reply.usage.target_tokens == 2
    assert reply.hypotheses[0].finish_reason == translation_pb2.FINISH_REASON_LENGTH


def test_long_source_is_cut_when_asked(translation: translation_pb2_grpc.TranslationServiceStub) -> None:
    """Truncation is opt-in, and counted."""
    text = " ".join(["house"] * 400)
    cut = options_pb2.InputOptions(truncate=True)
    reply = translation.Translate(translation_pb2.TranslateRequest(text=text, input=cut))
    assert (reply.usage.source_tokens, reply.usage.truncated_source_tokens) == (256, 144)


def test_request_id_comes_back(translation: translation_pb2_grpc.TranslationServiceStub) -> None:
    """An id is taken from the field or the metadata, or made, and stands in the trailers."""
    for request_id, metadata, expected in (
        ("from-field", (), "from-field"),
        ("", (("seq2serve-request-id", "from-metadata"),), "from-metadata"),
        ("from-field", (("seq2serve-request-id", "from-metadata"),), "from-field"),
    ):
        request = translation_pb2.TranslateRequest(text="Hello.", request_id=request_id)
        reply, call = translation.Translate.with_call(request, metadata=metadata)
        assert reply.request_id == dict(call.trailing_metadata())["seq2serve-request-id"] == expected
    assert translation.Translate(translation_pb2.TranslateRequest(text="Hello.")).request_id


def test_answer_does_not_depend_on_the_company(server: ServerProcess) -> None:
    """The same ids come out alone and among 64 others that come and go."""

    async def ids(client: AsyncClient, sentence: str) -> list[int]:
        return list((await client.translate(sentence, tokens=True)).hypotheses[0].token_ids)

    async def both() -> tuple[list[list[int]], list[list[int]]]:
        async with AsyncClient(server.address) as client:
            alone = [await ids(client, sentence) for sentence in SENTENCES]
            order = [i % len(SENTENCES) for i in range(64 * 4)]
            random.Random(3).shuffle(order)
            crowd = await asyncio.gather(*(ids(client, SENTENCES[i]) for i in order))
            return [alone[i] for i in order], list(crowd)

    alone, crowd = asyncio.run(both())
    assert alone == crowd


def test_command_translates_a_sentence_and_lines(server: ServerProcess, tmp_path: Path) -> None:
    """The command prints a sentence's translation, and those of a file's lines in their order."""
    one = translate_command(server, GOLDEN[0]["source"])
    assert (one.returncode, one.stdout) == (0, GOLDEN[0]["outputs"]["fp32"]["text"] + "\n")
    file = tmp_path / "lines.txt"
    file.write_text("".join(f"{golden['source']}\n" for golden in GOLDEN) * 20)
    many = translate_command(server, "--file", str(file))
    assert many.stdout.splitlines() == [golden["outputs"]["fp32"]["text"] for golden in GOLDEN] * 20
    piped = translate_command(server, stdin=file.read_text())
    assert piped.stdout == many.stdout


def test_models_are_described(models: model_pb2_grpc.ModelServiceStub, server: ServerProcess) -> None:
    """GetModel shows defaults, limits, the provider in use and what was proved at load."""
    (listed,) = models.ListModels(model_pb2.ListModelsRequest(source_language="en")).models
    model = models.GetModel(model_pb2.GetModelRequest()).model
    assert listed == model
    assert (model.name, model.version, model.is_default) == ("en-de", 1, True)
    assert model.state == model_pb2.MODEL_STATE_AVAILABLE
    assert model.runtime.provider == "CPUExecutionProvider"
    assert model.parity.passed
    assert model.parity.sentences == len(GOLDEN)
    assert model.bundle_digest.startswith("sha256:")
    defaults = model.default_options
    assert (defaults.beam_size, defaults.max_length_ratio, defaults.max_length_offset) == (1, 2.0, 10)
    assert not models.ListModels(model_pb2.ListModelsRequest(source_language="fr")).models
    with Client(server.address) as client:
        assert client.model("en-de").name == "en-de"
