"""Ports, cores and GPUs are divided among workers, or nothing starts."""

import re
from typing import Any

import pytest

from service.errors import StartupError
from service.settings import Settings, read_settings
from service.workers.plan import client_target, plan_workers


def settings(**given: Any) -> Settings:
    """Make settings without looking at variables."""
    return Settings.model_validate({"workers": 3, **given})


def test_each_worker_has_the_next_port_of_every_address_that_is_set() -> None:
    """Worker i has P + i, M + i, and so on; an address that is empty stays so."""
    given = settings(grpc_address="0.0.0.0:7000", http_address="[::1]:8000", admin_address="localhost:9000")
    assert [plan.addresses for plan in plan_workers(given, cpus=1, gpus=0)] == [
        {
            "--grpc-address": f"0.0.0.0:{7000 + i}",
            "--http-address": f"[::1]:{8000 + i}",
            "--admin-address": f"localhost:{9000 + i}",
        }
        for i in range(3)
    ]


def test_a_worker_reads_its_flags_as_the_settings_of_one_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """They win over the supervisor's own flags and variables, and leave the others as they are."""
    monkeypatch.setenv("SEQ2SERVE_WORKERS", "2")
    arguments = ["--grpc-address", "127.0.0.1:7000", "--agent-address=127.0.0.1:7100", "--threads", "5", "--slots", "7"]
    last = plan_workers(read_settings(arguments), cpus=8, gpus=0)[-1]
    read = read_settings([*arguments, *last.flags])
    assert (read.workers, read.grpc_address, read.http_address) == (1, "127.0.0.1:7001", "127.0.0.1:8081")
    assert (read.agent_address, read.admin_address, read.threads, read.slots) == ("127.0.0.1:7101", "", 5, 7)


@pytest.mark.parametrize(("cpus", "asked", "each"), [(12, 0, 4), (13, 0, 4), (2, 0, 1), (1, 0, 1), (12, 5, 5)])
def test_cores_are_divided_unless_threads_are_given(cpus: int, asked: int, each: int) -> None:
    """Every worker has at least one; `threads` is for each."""
    plans = plan_workers(settings(threads=asked), cpus=cpus, gpus=0)
    assert [plan.threads for plan in plans] == [each] * 3


@pytest.mark.parametrize(
    ("device", "gpus", "devices"),
    [
        ("cuda", 2, ["cuda:0", "cuda:1", "cuda:0"]),
        ("auto", 2, ["cuda:0", "cuda:1", "cuda:0"]),
        ("cuda", 4, ["cuda:0", "cuda:1", "cuda:2"]),
        ("cuda", 1, ["cuda", "cuda", "cuda"]),
        ("cuda", 0, ["cuda", "cuda", "cuda"]),  # and each says what it misses
        ("auto", 0, ["auto", "auto", "auto"]),
        ("cpu", 2, ["cpu", "cpu", "cpu"]),
        ("cuda:1", 2, ["cuda:1", "cuda:1", "cuda:1"]),
    ],
)
def test_workers_take_turns_on_gpus(device: str, gpus: int, devices: list[str]) -> None:
    """Several GPUs are used in turn, and one that is named by all."""
    given = settings().model_copy(update={"device": device})
    assert [plan.device for plan in plan_workers(given, cpus=1, gpus=gpus)] == devices


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"grpc_address": "127.0.0.1:0"},
            "--grpc-address 127.0.0.1:0: --workers 3 needs a first port, and 0 names none",
        ),
        ({"agent_address": "127.0.0.1:0"}, "--agent-address 127.0.0.1:0: --workers 3 needs a first port"),
        ({"http_address": "0.0.0.0:65534"}, "--http-address 0.0.0.0:65534: --workers 3 takes the ports 65534 to 65536"),
        (
            {"grpc_address": "127.0.0.1:50051", "agent_address": "127.0.0.1:50053"},
            "--workers 3: --grpc-address takes the ports 50051 to 50053, and --agent-address 50053 to 50055; "
            "choose ports that are 3 apart",
        ),
        ({"admin_address": "127.0.0.1:8078"}, "--http-address takes the ports 8080 to 8082, and --admin-address 8078"),
    ],
)
def test_ports_that_cannot_be_are_refused(given: dict[str, str], message: str) -> None:
    """The message has the flags, their values and the ports."""
    with pytest.raises(StartupError, match=re.escape(message)):
        plan_workers(settings(**given), cpus=1, gpus=0)


def test_ports_that_just_fit_are_taken() -> None:
    """Ranges may touch one another, and 65535."""
    given = settings(grpc_address="127.0.0.1:65533", http_address="127.0.0.1:65530", admin_address="127.0.0.1:65527")
    assert plan_workers(given, cpus=1, gpus=0)[2].addresses["--grpc-address"] == "127.0.0.1:65535"


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("10.0.0.1:7000", "ipv4:10.0.0.1:7000,10.0.0.1:7001,10.0.0.1:7002"),
        ("[::1]:7000", "ipv6:[::1]:7000,[::1]:7001,[::1]:7002"),
        ("localhost:7000", "localhost:7000"),
    ],
)
def test_a_target_names_all_workers_where_it_can(address: str, target: str) -> None:
    """gRPC lists IP addresses, and no names."""
    assert client_target(plan_workers(settings(grpc_address=address), cpus=1, gpus=0)) == target
