"""What grpcurl does: calls made from the server's reflection alone, without compiled stubs."""

from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


class ReflectionClient:
    """Call methods by their names, with messages that are dictionaries."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self.database = ProtoReflectionDescriptorDatabase(channel)
        self.pool = DescriptorPool(self.database)  # of its own: this process has the stubs in the default one

    def call(self, service: str, method: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the replies, one unless the method streams them."""
        described = self.pool.FindServiceByName(service).FindMethodByName(method)
        message = ParseDict(request, GetMessageClass(described.input_type)())
        opened: Any = self._channel.unary_stream if described.server_streaming else self._channel.unary_unary
        reply_class = GetMessageClass(described.output_type)
        invoke = opened(f"/{service}/{method}", type(message).SerializeToString, reply_class.FromString)
        replies = invoke(message)
        return [MessageToDict(reply) for reply in (replies if described.server_streaming else [replies])]
