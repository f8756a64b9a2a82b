"""Ports that somebody has are found before anything starts."""

import socket

import pytest

from service.errors import StartupError
from service.settings import Settings
from service.workers.plan import Plan, plan_workers
from service.workers.process import check_free


def plans(grpc_port: int) -> list[Plan]:
    """Plan two workers whose HTTP ports come after the ports for gRPC."""
    addresses = {"grpc_address": f"127.0.0.1:{grpc_port}", "http_address": f"127.0.0.1:{grpc_port + 2}"}
    return plan_workers(Settings.model_validate({"workers": 2, **addresses}), cpus=2, gpus=0)


def test_a_port_in_use_is_named_with_its_worker() -> None:
    """Else who has it would be taken for the worker, as it answers."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            StartupError, match=rf"--grpc-address 127\.0\.0\.1:{port} of worker 1: Address already in use"
        ):
            check_free(plans(port - 1))


def test_an_address_of_another_machine_is_named() -> None:
    """What cannot be bound is found, too."""
    other = Plan(0, {"--http-address": "192.0.2.1:8080"}, 1, "cpu")
    with pytest.raises(StartupError, match=r"--http-address 192\.0\.2\.1:8080 of worker 0: Cannot assign"):
        check_free([other])
