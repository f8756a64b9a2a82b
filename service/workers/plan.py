"""What each of several servers is started with: ports of its own, its part of the cores, its GPU."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import combinations

from service.errors import StartupError
from service.settings import Settings

ADDRESSES = ("grpc_address", "http_address", "admin_address", "agent_address")
LAST_PORT = 65535


@dataclass(frozen=True)
class Plan:
    """Say how one worker differs from the others."""

    number: int  # from 0
    addresses: dict[str, str]  # HOST:PORT by flag, those that are set
    threads: int
    device: str

    @property
    def flags(self) -> list[str]:
        """The flags that come after those of the supervisor, of which the last ones count."""
        given = {**self.addresses, "--threads": str(self.threads), "--device": self.device, "--workers": "1"}
        return [word for flag_and_value in given.items() for word in flag_and_value]

    @property
    def grpc_address(self) -> str:
        """HOST:PORT of its calls."""
        return self.addresses["--grpc-address"]

    @property
    def http_address(self) -> str:
        """HOST:PORT of its metrics and probes."""
        return self.addresses["--http-address"]


def plan_workers(settings: Settings, cpus: int, gpus: int) -> list[Plan]:
    """Divide ports, cores and GPUs among the workers.

    Args:
        settings: those of the supervisor, whose addresses are the first of each kind.
        cpus: cores that all of them may use together.
        gpus: devices that they may be spread over where the settings name none.

    Raises:
        StartupError: a port is 0 or above 65535, or two kinds of address take the same one.
    """
    first = {f"--{name.replace('_', '-')}": address for name in ADDRESSES if (address := getattr(settings, name))}
    _check_ports(first, settings.workers)
    threads = settings.threads or max(1, cpus // settings.workers)
    spread = settings.device in ("auto", "cuda") and gpus > 1
    return [
        Plan(
            number,
            {flag: _moved(address, number) for flag, address in first.items()},
            threads,
            f"cuda:{number % gpus}" if spread else settings.device,
        )
        for number in range(settings.workers)
    ]


def client_target(plans: Sequence[Plan]) -> str:
    """Return a gRPC target that names all workers; a host that is no IP address can be listed by nobody but DNS."""
    addresses = [plan.grpc_address for plan in plans]
    try:
        version = ip_address(_split(addresses[0])[0].strip("[]")).version
    except ValueError:
        return addresses[0]
    return f"ipv{version}:{','.join(addresses)}"


def _check_ports(first: dict[str, str], count: int) -> None:
    ranges: dict[str, range] = {}
    for flag, address in first.items():
        port = _split(address)[1]
        if port == 0:
            raise StartupError(f"{flag} {address}: --workers {count} needs a first port, and 0 names none")
        if port + count - 1 > LAST_PORT:
            raise StartupError(
                f"{flag} {address}: --workers {count} takes the ports {port} to {port + count - 1}, and the last one "
                f"is {LAST_PORT}; choose a lower one"
            )
        ranges[flag] = range(port, port + count)
    for (one, ports), (other, others) in combinations(ranges.items(), 2):
        if set(ports) & set(others):
            raise StartupError(
                f"--workers {count}: {one} takes the ports {ports[0]} to {ports[-1]}, and {other} {others[0]} to "
                f"{others[-1]}; choose ports that are {count} apart"
            )


def _moved(address: str, number: int) -> str:
    host, port = _split(address)
    return f"{host}:{port + number}"


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
