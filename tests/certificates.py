"""Certificates that openssl makes for a test."""

import itertools
import shutil
import subprocess
from pathlib import Path

import pytest

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


class Authority:
    """Issue certificates for 127.0.0.1 and localhost; skips the test where there is no openssl."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl, which makes the test's certificates, is not installed")
        self._folder = folder / name
        self._folder.mkdir()
        self._count = itertools.count(1)
        self.certificate, self._key = self._folder / "ca.crt", self._folder / "ca.key"
        _openssl("req", "-x509", *_KEY, "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.certificate)

    def issue(self) -> tuple[Path, Path]:
        """Return the files of a new certificate and its key."""
        number = next(self._count)
        certificate, key, request, names = (
            self._folder / f"{number}.{kind}" for kind in ("crt", "key", "csr", "extensions")
        )
        names.write_text(_NAMES)
        _openssl("req", "-new", *_KEY, "-subj", "/CN=localhost", "-keyout", key, "-out", request)
        issuer = ("-CA", self.certificate, "-CAkey", self._key, "-set_serial", str(number))
        _openssl("x509", "-req", "-in", request, *issuer, "-extfile", names, "-out", certificate)
        return certificate, key


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
