"""One ModelInfer: from its message to its reply."""

from service.call import Call, check_key
from service.errors import InvalidRequest, quoted
from service.kserve.parameters import read_parameters
from service.kserve.stubs import inference_pb2
from service.kserve.tensors import SCORE, read_outputs, read_texts, write_outputs
from service.kserve.texts import Texts
from service.model import Model
from service.registry import Registry
from service.translation import Message
from service.translator import Translator


def find_model(registry: Registry, field: str, name: str, version: str) -> Model:
    """Find a model by its name, and by its version unless that is empty; `field` has the name.

    Raises:
        InvalidRequest: the name is empty, or the version no number.
        NotServed: there is no such model or version.
    """
    if not name:
        raise InvalidRequest.field(field, f"is empty; served: {', '.join(registry.names)}")
    if version and not (version.isascii() and version.isdecimal() and len(version) < 20):
        why = f"is {quoted(version)}, must be a number, or empty for the newest"
        raise InvalidRequest.field(field.replace("name", "version"), why)
    return registry.find(name, int(version) if version else None, "", "")


async def infer(
    translator: Translator, texts: Texts, request: inference_pb2.ModelInferRequest, call: Call
) -> inference_pb2.ModelInferResponse:
    """Translate the texts of a request.

    Raises:
        ServiceError: the request, or one of its texts, was refused, or failed.
    """
    if request.id:
        call.request_id = check_key(request.id, "id")
    model = find_model(translator.registry, "model_name", request.model_name, request.model_version)
    call.model = f"{model.name}/{model.version}"
    sources = read_texts(request, translator.limits.max_batch_items)
    names = read_outputs(request)
    common = read_parameters(request)
    common.output.timing = False
    if SCORE in names:
        common.output.scores = True
    model.readers += 1  # so that it stays, even if another version takes its place while this waits for its turn
    try:
        replies = await texts.translate(model, [_with_text(common, source) for source in sources], call)
    finally:
        model.readers -= 1
    reply = inference_pb2.ModelInferResponse(model_name=model.name, model_version=str(model.version), id=request.id)
    write_outputs(reply, names, replies)
    return reply


def _with_text(common: Message, text: str) -> Message:
    message = Message()
    message.CopyFrom(common)
    message.text = text
    return message
