"""The tensors of a model: texts in, translations out; how they are written as bytes."""

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from seq2serve.v1 import translation_pb2
from service.errors import InvalidRequest, quoted
from service.kserve.stubs import inference_pb2

TEXT_INPUT = "text_input"
TEXT = "BYTES"
SCORE = "score"
Reply = translation_pb2.TranslateResponse
LENGTH = struct.Struct("<I")


class Output(NamedTuple):
    """Hold the datatype of an output, and how to write one element of it."""

    datatype: str
    write: Callable[[Reply], bytes]


def _pack(text: str) -> bytes:
    data = text.encode()
    return LENGTH.pack(len(data)) + data


def _finish_reason(reply: Reply) -> str:
    name = translation_pb2.FinishReason.Name(reply.hypotheses[0].finish_reason)
    return name.removeprefix("FINISH_REASON_").lower()


OUTPUTS = {
    "text_output": Output(TEXT, lambda reply: _pack(reply.hypotheses[0].text)),
    "finish_reason": Output(TEXT, lambda reply: _pack(_finish_reason(reply))),
    SCORE: Output("FP32", lambda reply: struct.pack("<f", reply.hypotheses[0].score)),
}
FREE = [name for name in OUTPUTS if name != SCORE]  # what costs nothing; a score needs log-probabilities at every step


def read_texts(request: inference_pb2.ModelInferRequest, most: int) -> list[str]:
    """Read the texts of a request, `most` of them at most.

    Raises:
        InvalidRequest: the tensor is not `text_input` BYTES [N], or does not hold N texts.
    """
    if len(request.inputs) != 1:
        raise InvalidRequest.field("inputs", f"has {len(request.inputs)} tensors, must be {TEXT_INPUT} alone")
    tensor, raw = request.inputs[0], request.raw_input_contents
    if tensor.name != TEXT_INPUT:
        raise InvalidRequest.field("inputs[0].name", f"is {quoted(tensor.name)}, must be {TEXT_INPUT!r}")
    if tensor.datatype != TEXT:
        raise InvalidRequest.field("inputs[0].datatype", f"is {quoted(tensor.datatype)}, must be {TEXT!r}")
    refuse_parameters("inputs[0].parameters", tensor)
    shape = list(tensor.shape[:9])
    if len(shape) != 1 or not 1 <= shape[0] <= most:
        raise InvalidRequest.field("inputs[0].shape", f"is {shape}, must be [N], N from 1 to {most}")
    if raw and tensor.HasField("contents"):
        raise InvalidRequest.field("inputs[0].contents", "cannot be combined with raw_input_contents")
    if raw and len(raw) != 1:
        raise InvalidRequest.field("raw_input_contents", f"has {len(raw)} elements, must be 1, as there is 1 input")
    elements = _unpack(raw[0], shape[0]) if raw else tensor.contents.bytes_contents
    if len(elements) != shape[0]:
        raise InvalidRequest.field(TEXT_INPUT, f"holds {len(elements)} texts, its shape says {shape[0]}")
    return [_decode(element, index) for index, element in enumerate(elements)]


def read_outputs(request: inference_pb2.ModelInferRequest) -> list[str]:
    """Return the names of what is asked for; what costs nothing where that is left open.

    Raises:
        InvalidRequest: the model has no such output, or one is named twice.
    """
    names: list[str] = []
    for index, tensor in enumerate(request.outputs):
        if tensor.name not in OUTPUTS or tensor.name in names:
            why = f"is {quoted(tensor.name)}, must be one of {', '.join(OUTPUTS)}, and each once"
            raise InvalidRequest.field(f"outputs[{index}].name", why)
        refuse_parameters(f"outputs[{index}].parameters", tensor)
        names.append(tensor.name)
    return names or FREE


def write_outputs(reply: inference_pb2.ModelInferResponse, names: Sequence[str], replies: Sequence[Reply]) -> None:
    """Write the named outputs, each with an element for every translation."""
    for name in names:
        output = OUTPUTS[name]
        reply.outputs.add(name=name, datatype=output.datatype, shape=[len(replies)])
        reply.raw_output_contents.append(b"".join(map(output.write, replies)))


def refuse_parameters(
    field: str,
    tensor: inference_pb2.ModelInferRequest.InferInputTensor
    | inference_pb2.ModelInferRequest.InferRequestedOutputTensor,
) -> None:
    """Refuse parameters of a tensor, such as shared memory and classification, of which there are none.

    Raises:
        InvalidRequest: there is one; names it.
    """
    for name in tensor.parameters:
        raise InvalidRequest.field(field, f"holds {quoted(name)}, tensors have no parameters here")


def _unpack(content: bytes, count: int) -> list[bytes]:
    """Cut raw contents into elements, no more than the shape promises."""
    elements: list[bytes] = []
    start = 0
    while start < len(content) and len(elements) < count:
        end = start + LENGTH.size
        if end <= len(content):
            end += LENGTH.unpack_from(content, start)[0]
        if end > len(content):
            why = f"ends within element {len(elements)}, must be a length in 4 bytes, least first, and that many bytes"
            raise InvalidRequest.field("raw_input_contents", why)
        elements.append(content[start + LENGTH.size : end])
        start = end
    if start < len(content):
        raise InvalidRequest.field("raw_input_contents", f"holds more than the {count} texts of the shape")
    return elements


def _decode(element: bytes, index: int) -> str:
    try:
        return element.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest.field(f"{TEXT_INPUT}[{index}]", f"is not UTF-8 at byte {error.start}") from error
