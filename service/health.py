"""Whether this server wants traffic: one truth for gRPC health and /readyz."""

import grpc
from grpc_health.v1 import health, health_pb2
from grpc_health.v1._async import HealthServicer
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Health:
    """Hold the state; not serving until told."""

    def __init__(self, services: tuple[str, ...]) -> None:
        """Take the full names of the services; the empty one stands for the whole server."""
        self._services = ("", health.SERVICE_NAME, *services)
        self._servicer = HealthServicer()
        self.serving = False

    def register(self, server: grpc.aio.Server) -> None:
        """Add grpc.health.v1.Health to a server."""
        add_HealthServicer_to_server(self._servicer, server)

    async def set(self, serving: bool) -> None:
        """Change the state, and tell those who watch it."""
        self.serving = serving
        for service in self._services:
            await self._servicer.set(service, SERVING if serving else NOT_SERVING)
