"""Whether the machine, or the container, has what the settings ask for."""

from collections.abc import Iterator

from seq2serve.doctor.finding import Finding, Level
from service import tls
from service.cpu import available_cpus
from service.errors import StartupError
from service.settings import Settings
from service.tokens import open_gate
from service.transport import is_loopback


def check_machine(settings: Settings) -> Iterator[Finding]:
    """Look at cores, and at who may call."""
    cores = available_cpus()
    if settings.threads > cores:
        found = f"--threads {settings.threads}, and this container may use {cores}"
        yield Finding(Level.NOTE, "cores", found, "leave --threads out: threads without a core wait for one another")
    else:
        yield Finding(Level.OK, "cores", f"{settings.threads or cores} of {cores} for ONNX Runtime")
    yield from _check_access(settings)


def _check_access(settings: Settings) -> Iterator[Finding]:
    try:
        identity, gate = tls.open_identity(settings), open_gate(settings.token_file)
    except StartupError as error:
        yield Finding(Level.FAULT, "access", str(error), "give files that fit, or leave the settings out")
        return
    how = f"{'TLS' if identity else 'in clear'}, {'tokens' if gate else 'without tokens'}"
    if identity is None and not is_loopback(settings.grpc_address):
        fix = "set --tls-certificate and --token-file, unless a proxy before it does both"
        yield Finding(Level.NOTE, "access", f"{settings.grpc_address}: {how}, and others reach it", fix)
    else:
        yield Finding(Level.OK, "access", f"{settings.grpc_address}: {how}")
