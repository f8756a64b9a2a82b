"""Certificates that cannot be served are refused by name."""

import re
import subprocess
from pathlib import Path

import pytest

from service.errors import StartupError
from service.settings import read_settings
from service.tls import open_identity, read_identity
from tests.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_what_fits_is_read(authority: Authority) -> None:
    """The bytes are those of the files."""
    certificate, key = authority.issue()
    identity = read_identity(certificate, key, authority.certificate)
    assert identity.certificate == certificate.read_bytes()
    assert identity.key == key.read_bytes()
    assert identity.client_ca == authority.certificate.read_bytes()


def halve(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def encrypt(key: Path) -> None:
    command = ["openssl", "ec", "-in", str(key), "-aes256", "-passout", "pass:word", "-out", str(key)]
    subprocess.run(command, check=True, capture_output=True)


def test_missing_halved_and_foreign_files_are_named(authority: Authority) -> None:
    """The message has the file and the fault, and nothing of its content."""
    certificate, key = authority.issue()
    other, other_key = authority.issue()
    with pytest.raises(StartupError, match=f"TLS key {other_key} for .*: the key is not this certificate's"):
        read_identity(certificate, other_key, None)
    halve(other)
    with pytest.raises(StartupError, match=f"TLS file {other} holds no certificate in PEM, or half of one"):
        read_identity(other, other_key, None)
    with pytest.raises(StartupError, match=f"TLS file {other} holds no certificate"):
        read_identity(certificate, key, other)
    halve(other_key)
    with pytest.raises(StartupError, match=f"TLS key {other_key} for .*: the key is not PEM, or half of one"):
        read_identity(certificate, other_key, None)
    encrypt(key)
    with pytest.raises(StartupError, match=f"TLS key {key} for .*: the key is encrypted"):
        read_identity(certificate, key, None)
    key.unlink()
    with pytest.raises(StartupError, match=f"TLS file {key} cannot be read"):
        read_identity(certificate, key, None)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (("certificate",), "--tls-key is missing"),
        (("key",), "--tls-certificate is missing"),
        (("client-ca",), "--tls-certificate is missing"),
        (("certificate", "client-ca"), "--tls-key is missing"),
    ],
)
def test_half_of_the_settings_never_means_plaintext(given: tuple[str, ...], missing: str, tmp_path: Path) -> None:
    """A forgotten setting stops the start."""
    settings = read_settings([part for name in given for part in (f"--tls-{name}", str(tmp_path / name))])
    with pytest.raises(StartupError, match=re.escape(missing)):
        open_identity(settings)


def test_no_setting_is_plaintext() -> None:
    """Without any of them there is nothing to serve by."""
    assert open_identity(read_settings([])) is None
