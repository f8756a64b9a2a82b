"""The administration of a server: messages in, messages out."""

from typing import Any

from seq2serve.v1 import admin_pb2, admin_pb2_grpc
from service.aliases import Alias
from service.description import model_alias, version_status
from service.errors import InvalidRequest
from service.lifecycle import Lifecycle
from service.registry import Registry, Shadow
from service.search_options import exact

Context = Any


class AdminServicer(admin_pb2_grpc.AdminServiceServicer):
    """Answer seq2serve.v1.AdminService."""

    def __init__(self, lifecycle: Lifecycle, registry: Registry) -> None:
        self._lifecycle, self._registry = lifecycle, registry

    async def LoadModel(  # noqa: N802
        self, request: admin_pb2.LoadModelRequest, context: Context
    ) -> admin_pb2.LoadModelResponse:
        """Bring a version into service."""
        number = _number(request.version, 0) or self._lifecycle.newest(request.name)
        status = await self._lifecycle.load((request.name, number))
        return admin_pb2.LoadModelResponse(status=version_status(number, status))

    async def UnloadModel(  # noqa: N802
        self, request: admin_pb2.UnloadModelRequest, context: Context
    ) -> admin_pb2.UnloadModelResponse:
        """Take a version out of service."""
        number = _number(request.version, 1)
        status = await self._lifecycle.unload((request.name, number))
        return admin_pb2.UnloadModelResponse(status=version_status(number, status))

    async def SetAlias(  # noqa: N802
        self, request: admin_pb2.SetAliasRequest, context: Context
    ) -> admin_pb2.SetAliasResponse:
        """Let an alias stand for a version."""
        given = request.alias
        self._registry.set_alias(request.name, Alias(given.alias, given.version, exact(given.weight)))
        return admin_pb2.SetAliasResponse(aliases=map(model_alias, self._registry.aliases(request.name)))

    async def DeleteAlias(  # noqa: N802
        self, request: admin_pb2.DeleteAliasRequest, context: Context
    ) -> admin_pb2.DeleteAliasResponse:
        """Forget an alias."""
        self._registry.delete_alias(request.name, request.alias)
        return admin_pb2.DeleteAliasResponse(aliases=map(model_alias, self._registry.aliases(request.name)))

    async def SetShadow(  # noqa: N802
        self, request: admin_pb2.SetShadowRequest, context: Context
    ) -> admin_pb2.SetShadowResponse:
        """Mirror requests to a candidate."""
        self._registry.set_shadow(request.name, Shadow(request.version, request.share))
        return admin_pb2.SetShadowResponse()


def _number(version: int, least: int) -> int:
    if version < least:
        raise InvalidRequest.field("version", f"is {version}, must be {least} or more")
    return version
