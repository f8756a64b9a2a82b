"""The inference protocol, version 2, as far as one text and its translation need it."""

import struct
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

METHOD = "/inference.GRPCInferenceService/ModelInfer"
_Field = descriptor_pb2.FieldDescriptorProto
# Names and numbers are the protocol's, the rest of which a reader passes over; its file is not copied.
MESSAGES = {
    "Tensor": [
        _Field(name="name", number=1, type=_Field.TYPE_STRING),
        _Field(name="datatype", number=2, type=_Field.TYPE_STRING),
        _Field(name="shape", number=3, type=_Field.TYPE_INT64, label=_Field.LABEL_REPEATED),
    ],
    "Request": [
        _Field(name="model_name", number=1, type=_Field.TYPE_STRING),
        _Field(name="inputs", number=5, type=_Field.TYPE_MESSAGE, type_name="Tensor", label=_Field.LABEL_REPEATED),
        _Field(name="raw_input_contents", number=7, type=_Field.TYPE_BYTES, label=_Field.LABEL_REPEATED),
    ],
    "Reply": [
        _Field(name="outputs", number=5, type=_Field.TYPE_MESSAGE, type_name="Tensor", label=_Field.LABEL_REPEATED),
        _Field(name="raw_output_contents", number=6, type=_Field.TYPE_BYTES, label=_Field.LABEL_REPEATED),
    ],
}


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="infer.proto",
        syntax="proto3",
        message_type=[descriptor_pb2.DescriptorProto(name=name, field=fields) for name, fields in MESSAGES.items()],
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in MESSAGES}


_CLASSES = _classes()


def request(model: str, text: str, name: str = "text", shape: tuple[int, ...] = (1, 1)) -> bytes:
    """Serialize a ModelInferRequest with one text, as a batch of one."""
    data = text.encode()
    message = _CLASSES["Request"](
        model_name=model,
        inputs=[{"name": name, "datatype": "BYTES", "shape": shape}],
        raw_input_contents=[struct.pack("<I", len(data)) + data],
    )
    serialized: bytes = message.SerializeToString()
    return serialized


def outputs(reply: bytes) -> dict[str, bytes]:
    """Return the raw contents of a ModelInferResponse by the names of its tensors."""
    message = _CLASSES["Reply"].FromString(reply)
    names = [tensor.name for tensor in message.outputs]
    return dict(zip(names, message.raw_output_contents, strict=True))


def read_text(content: bytes) -> str:
    """Return the one text of a BYTES tensor: its length in four bytes, then UTF-8."""
    (length,) = struct.unpack_from("<I", content)
    return content[4 : 4 + length].decode()


def read_number(content: bytes) -> int:
    """Return the one number of an INT32 tensor."""
    number: int = struct.unpack("<i", content)[0]
    return number
