"""Triton's own client, unmodified from its wheel, is served by the inference protocol.

It brings descriptors of its own for the package `inference`; this process must not import the server's.
"""

import asyncio
import queue
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy
import pytest

from seq2serve import Client, Translation
from service import VERSION
from tests.server_process import ServerProcess

triton = pytest.importorskip("tritonclient.grpc", reason="tritonclient is not installed (make test installs it)")
MODEL = "en-de"
TEXTS = ["Good morning.", "Where is my café?", "The children were playing in the garden when the rain began to fall."]
OPTIONS: list[dict[str, Any]] = [
    {"beam_size": 5, "length_penalty": 0.5, "patience": 2},
    {"max_length": 3},
    {"temperature": 1.5, "top_k": 20, "seed": 7},
    {"no_repeat_ngram_size": 1, "disable_unknown": True},
    {"transfer_tags": True},
]


@pytest.fixture(scope="module")
def inference(server: ServerProcess) -> Iterator[Any]:
    """Open Triton's client."""
    with triton.InferenceServerClient(server.address) as opened:
        yield opened


def tensor(texts: list[str]) -> Any:
    """Return the input that holds some texts."""
    array = numpy.array([text.encode() for text in texts], dtype=numpy.object_)
    given = triton.InferInput("text_input", list(array.shape), "BYTES")
    given.set_data_from_numpy(array)
    return given


def texts_of(result: Any, name: str = "text_output") -> list[str]:
    """Return the texts of an output."""
    return [element.decode() for element in result.as_numpy(name)]


def ours(client: Client, texts: list[str], **options: Any) -> list[Translation]:
    """Return what our own client gets."""
    outcomes = client.translate_batch(texts, **options)
    return [outcome for outcome in outcomes if isinstance(outcome, Translation)]


def test_alive_and_ready(inference: Any) -> None:
    """A served model is ready, with and without its version; another is not, and that is no error."""
    assert inference.is_server_live()
    assert inference.is_server_ready()
    assert inference.is_model_ready(MODEL)
    assert inference.is_model_ready(MODEL, "1")
    assert not inference.is_model_ready(MODEL, "99")
    assert not inference.is_model_ready("nobody")


def test_server_metadata(inference: Any) -> None:
    """The server names itself and the extensions that it has."""
    found = inference.get_server_metadata()
    assert (found.name, found.version) == ("seq2serve", VERSION)
    assert list(found.extensions) == ["model_configuration", "parameters"]


def test_metadata_and_configuration_agree(inference: Any) -> None:
    """Both describe the same tensors, in the protocol's words and in Triton's."""
    metadata = inference.get_model_metadata(MODEL)
    config = inference.get_model_config(MODEL, "1", as_json=True)["config"]
    types = {"TYPE_STRING": "BYTES", "TYPE_FP32": "FP32"}
    assert (metadata.name, list(metadata.versions), metadata.platform) == (MODEL, ["1"], config["platform"])
    assert [(one.name, one.datatype, list(one.shape)) for one in metadata.inputs] == [("text_input", "BYTES", [-1])]
    for described, configured in ((metadata.inputs, config["input"]), (metadata.outputs, config["output"])):
        assert [(one.name, one.datatype, list(map(str, one.shape))) for one in described] == [
            (one["name"], types[one["data_type"]], one["dims"]) for one in configured
        ]
    assert (config["name"], config["backend"], config.get("max_batch_size", 0)) == (MODEL, "seq2serve", 0)


@pytest.mark.parametrize("name", ["get_model_metadata", "get_model_config"])
def test_descriptions_of_what_is_not_served(inference: Any, name: str) -> None:
    """The message lists what is."""
    with pytest.raises(triton.InferenceServerException, match=r"'nobody' is not served; served: en-de") as caught:
        getattr(inference, name)("nobody")
    assert caught.value.status() == "StatusCode.NOT_FOUND"


def test_batch_is_what_our_client_gets(inference: Any, client: Client) -> None:
    """A tensor of texts has the same translations, in its order, and says who made them."""
    result = inference.infer(MODEL, [tensor(TEXTS)], request_id="mine")
    assert texts_of(result) == [reply.text for reply in ours(client, TEXTS)]
    reply = result.get_response()
    assert (reply.model_name, reply.model_version, reply.id) == (MODEL, "1", "mine")


def test_text_and_finish_reason_unless_outputs_are_named(inference: Any) -> None:
    """What costs nothing is returned; who wants a score names it."""
    result = inference.infer(MODEL, [tensor(["Hello.", TEXTS[2]])], parameters={"max_length": 3})
    assert [output.name for output in result.get_response().outputs] == ["text_output", "finish_reason"]
    assert texts_of(result, "finish_reason") == ["eos", "length"]


def test_named_outputs_come_in_their_order(inference: Any, client: Client) -> None:
    """Scores are those of our own API, bit by bit."""
    asked = [triton.InferRequestedOutput(name) for name in ("score", "text_output")]
    result = inference.infer(MODEL, [tensor(TEXTS)], outputs=asked)
    replies = ours(client, TEXTS, scores=True)
    assert [output.name for output in result.get_response().outputs] == ["score", "text_output"]
    assert result.as_numpy("score").tolist() == [reply.hypotheses[0].score for reply in replies]
    assert texts_of(result) == [reply.text for reply in replies]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options)))
def test_parameters_are_our_options(inference: Any, client: Client, options: dict[str, Any]) -> None:
    """A parameter means what the option of its name means, and does something."""
    texts = [*TEXTS, "The <b>cat</b> is at home."]
    result = texts_of(inference.infer(MODEL, [tensor(texts)], parameters=options))
    assert result == [reply.text for reply in ours(client, texts, **options)]
    assert result != [reply.text for reply in ours(client, texts)]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (
            {"parameters": {"beam_width": 5}},
            "INVALID_ARGUMENT",
            "parameters: holds 'beam_width', which is none of beam",
        ),
        ({"parameters": {"beam_size": 99}}, "INVALID_ARGUMENT", r"parameters\.beam_size: is 99, must be from 1 to 12"),
        ({"priority": 1}, "INVALID_ARGUMENT", "parameters: holds 'priority'"),
        ({"timeout": 1000}, "INVALID_ARGUMENT", "parameters: holds 'timeout'"),
        ({"sequence_id": 5}, "INVALID_ARGUMENT", "parameters: holds 'sequence"),
        ({"model_version": "99"}, "NOT_FOUND", "'en-de' has no version 99; served: 1"),
        ({"outputs": [triton.InferRequestedOutput("logits")]}, "INVALID_ARGUMENT", "is 'logits', must be one of text_"),
        ({"outputs": [triton.InferRequestedOutput("score", class_count=2)]}, "INVALID_ARGUMENT", "'classification'"),
    ],
)
def test_refusals_are_its_exceptions(inference: Any, arguments: dict[str, Any], status: str, message: str) -> None:
    """Each has our code and our message."""
    with pytest.raises(triton.InferenceServerException, match=message) as caught:
        inference.infer(MODEL, [tensor(TEXTS)], **arguments)
    assert caught.value.status() == f"StatusCode.{status}"


def test_stream_answers_in_order_and_survives_a_bad_request(inference: Any, client: Client) -> None:
    """Each request has one reply, in the order of the requests; a refused one ends nothing."""
    answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
    inference.start_stream(lambda result, error: answers.put((result, error)))
    batches = [[TEXTS[2]], [" "], TEXTS, [TEXTS[0]]]
    for number, texts in enumerate(batches):
        inference.async_stream_infer(MODEL, [tensor(texts)], request_id=str(number))
    found = [answers.get(timeout=60) for _ in batches]
    inference.stop_stream()
    _, error = found.pop(1)
    assert "text_input[0]: holds nothing to translate" in str(error)
    assert [result.get_response().id for result, _ in found] == ["0", "2", "3"]
    for (result, error), texts in zip(found, (batches[0], batches[2], batches[3]), strict=True):
        assert error is None
        assert texts_of(result) == [reply.text for reply in ours(client, texts)]


def test_its_asyncio_client(server: ServerProcess, client: Client) -> None:
    """The other half of the wheel works alike, alone and in a stream."""
    aio = pytest.importorskip("tritonclient.grpc.aio")

    async def call() -> list[list[str]]:
        async def requests() -> AsyncIterator[dict[str, Any]]:
            for text in TEXTS:
                yield {"model_name": MODEL, "inputs": [tensor([text])]}

        async with aio.InferenceServerClient(server.address) as inference:
            alone = await inference.infer(MODEL, [tensor(TEXTS)])
            streamed = [result async for result, _ in inference.stream_infer(requests())]
            return [texts_of(alone), [text for result in streamed for text in texts_of(result)]]

    expected = [reply.text for reply in ours(client, TEXTS)]
    assert asyncio.run(call()) == [expected, expected]
