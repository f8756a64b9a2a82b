"""Certificate and key of the gRPC port, renewed while it is open."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from service.errors import StartupError
from service.reloaded import Reloaded
from service.settings import Settings


@dataclass(frozen=True)
class Identity:
    """Hold a certificate chain, its key and, for mTLS, the authorities of clients, as PEM."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None


def open_identity(settings: Settings) -> Reloaded[Identity] | None:
    """Read the files that the settings name; None where they name none.

    Raises:
        StartupError: a file is missing, is not PEM or does not fit the others.
    """
    certificate, key, client_ca = settings.tls_certificate, settings.tls_key, settings.tls_client_ca
    if certificate is None or key is None:
        if certificate is key is client_ca is None:
            return None
        missing = "--tls-certificate" if certificate is None else "--tls-key"
        raise StartupError(f"{missing} is missing: TLS needs it; give no TLS setting at all for plaintext")
    paths = [certificate, key] + ([client_ca] if client_ca else [])
    return Reloaded(paths, lambda: read_identity(certificate, key, client_ca))


def read_identity(certificate: Path, key: Path, client_ca: Path | None) -> Identity:
    """Read PEM files and prove that they fit.

    Raises:
        StartupError: names the file and the fault.
    """
    identity = Identity(_read(certificate), _read(key), _read(client_ca) if client_ca else None)
    _check_certificate(certificate, identity.certificate)
    if client_ca is not None and identity.client_ca is not None:
        _check_certificate(client_ca, identity.client_ca)
    try:
        # It takes paths alone. It would ask for a password on the terminal, where nobody is there to type one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise StartupError(f"TLS key {key} for certificate {certificate}: {_fault(error)}") from error
    # What was proved and what is returned were read one after the other.
    if (_read(certificate), _read(key)) != (identity.certificate, identity.key):
        raise StartupError(f"{certificate} or {key} is being written: try again")
    return identity


def credentials(identity: Reloaded[Identity]) -> grpc.ServerCredentials:
    """Return what a port serves by; each new connection gets the newest identity, old ones keep theirs."""
    served = identity.value

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        """Answer gRPC's question at a new connection; None keeps what it has."""
        nonlocal served
        newest = identity.value
        if newest is served:
            return None
        served = newest
        return _configuration(newest)

    wants_clients = served.client_ca is not None
    first = _configuration(served)
    return grpc.dynamic_ssl_server_credentials(first, fetch, wants_clients)  # type: ignore[arg-type]  # None is allowed


def _configuration(identity: Identity) -> grpc.ServerCertificateConfiguration:
    pair = (identity.key, identity.certificate)
    return grpc.ssl_server_certificate_configuration([pair], root_certificates=identity.client_ca)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartupError(f"TLS file {path} cannot be read ({error.strerror})") from error


def _check_certificate(path: Path, pem: bytes) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=pem.decode("ascii"))
    except (OSError, ValueError) as error:
        raise StartupError(f"TLS file {path} holds no certificate in PEM, or half of one") from error


def _no_password() -> str:
    raise ValueError("the key is encrypted; store it without a password, readable by this server alone")


def _fault(error: Exception) -> str:
    if not isinstance(error, ssl.SSLError):
        return str(error)
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key is not this certificate's"
    return "the key is not PEM, or half of one"
