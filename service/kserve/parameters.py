"""Parameters of a request: the scalars of our options by their names."""

from google.protobuf.descriptor import FieldDescriptor

from seq2serve.v1 import options_pb2, translation_pb2
from service.errors import InvalidRequest, quoted
from service.kserve.stubs import inference_pb2

WHOLE = ("int64_param", "uint64_param")
KINDS = {
    FieldDescriptor.TYPE_BOOL: ("bool_param",),
    FieldDescriptor.TYPE_INT32: WHOLE,
    FieldDescriptor.TYPE_UINT64: WHOLE,
    FieldDescriptor.TYPE_FLOAT: ("double_param", *WHOLE),
}
# By the name of a parameter: the part of TranslateRequest that has it, and what it may be written as.
PARAMETERS = {
    field.name: (part, KINDS[field.type])
    for part, message in (("options", options_pb2.DecodeOptions), ("input", options_pb2.InputOptions))
    for field in message.DESCRIPTOR.fields
    if field.type in KINDS
}


def read_parameters(request: inference_pb2.ModelInferRequest) -> translation_pb2.TranslateRequest:
    """Return a message with the options that the parameters set, and nothing else.

    Raises:
        InvalidRequest: there is no such parameter, its value has another type, or does not fit.
    """
    message = translation_pb2.TranslateRequest()
    for name, parameter in request.parameters.items():
        if name not in PARAMETERS:
            why = f"holds {quoted(name)}, which is none of {', '.join(sorted(PARAMETERS))}"
            raise InvalidRequest.field("parameters", why)
        part, allowed = PARAMETERS[name]
        kind = parameter.WhichOneof("parameter_choice")
        if kind not in allowed:
            raise InvalidRequest.field(f"parameters.{name}", f"is a {kind}, must be a {' or '.join(allowed)}")
        value = getattr(parameter, kind)
        try:
            setattr(getattr(message, part), name, value)
        except ValueError as error:
            raise InvalidRequest.field(f"parameters.{name}", f"is {value}, which is out of range") from error
    if message.options.num_hypotheses > 1:
        why = f"is {message.options.num_hypotheses}, must be 1, as there is one text_output for each text"
        raise InvalidRequest.field("parameters.num_hypotheses", why)
    return message
