"""The disk contract between what builds models and what serves them.

REPOSITORY/NAME/VERSION/manifest.json names every other file of the folder with its size and SHA-256, so nothing
unlisted, truncated or altered is ever loaded.
"""

import hashlib
import json
import re
import stat
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from service.errors import BundleError
from service.manifest import MANIFEST, Manifest, refuse_twice
from service.parts import File, Part

FORMAT_VERSION = 1
VERSION = re.compile("[1-9][0-9]{0,17}")  # so that it is written in one way, and fits the API's numbers
MAX_MANIFEST = 4 << 20  # bytes
SAID = 500  # characters of each thing that is wrong with a manifest


class Bundle(BaseModel):
    """Hold a bundle whose files are all there, of the right size and content."""

    model_config = ConfigDict(frozen=True)

    path: Path
    version: int
    manifest: Manifest

    def file(self, name: str) -> Path:
        """Return the path of a listed file."""
        return self.path / name


def read_bundle(path: Path) -> Bundle:
    """Read and verify the bundle in REPOSITORY/NAME/VERSION.

    Raises:
        BundleError: a file is missing, unlisted or differs from the manifest, or the manifest is not one we can serve.
    """
    if not VERSION.fullmatch(path.name):
        raise BundleError(path, "the folder's name is the version and must be a number from 1 up")
    manifest = _read_manifest(path / MANIFEST)
    try:
        found = {entry.name for entry in path.iterdir()}
    except OSError as error:
        raise BundleError(path, f"cannot be read ({error.strerror})") from error
    for name in sorted(found - manifest.files.keys() - {MANIFEST}):
        raise BundleError(path / name, "is not listed in the manifest: delete it, or copy the bundle again")
    sizes = [_size(path / name) for name in manifest.files]
    for (name, pinned), size in zip(manifest.files.items(), sizes, strict=True):
        if size != pinned.bytes:
            why = f"has {size} bytes, the manifest says {pinned.bytes}: copy the bundle again"
            raise BundleError(path / name, why)
    for name, pinned in manifest.files.items():
        _verify(path / name, pinned)
    return Bundle(path=path, version=int(path.name), manifest=manifest)


def _read_manifest(path: Path) -> Manifest:
    size = _size(path)
    if size > MAX_MANIFEST:
        raise BundleError(path, f"is not a manifest: has {size} bytes, at most {MAX_MANIFEST}")
    try:
        text = path.read_bytes()
        header = _Header.model_validate_json(text, strict=True)
        json.loads(text, object_pairs_hook=_unique)
    except OSError as error:
        raise BundleError(path, f"cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise BundleError(path, f"is not a manifest: {_explain(error)}") from error
    except ValueError as error:
        raise BundleError(path, f"is not a manifest: {error}") from error
    if header.format_version != FORMAT_VERSION:
        advice = f"export the model again (python -m export RUN {path.parent.parent}), or update the server"
        found = header.format_version
        raise BundleError(path, f"has format version {found}; this server reads {FORMAT_VERSION}: {advice}")
    try:
        return Manifest.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise BundleError(path, _explain(error)) from error


class _Header(Part):
    format_version: int


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse what two readers would understand differently."""
    refuse_twice([name for name, _ in pairs], "key")
    return dict(pairs)


def _explain(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'manifest'}: {e['msg']}"[:SAID] for e in error.errors()[:5])


def _size(path: Path) -> int:
    try:
        found = path.lstat()
    except OSError as error:
        raise BundleError(path, f"cannot be read ({error.strerror})") from error
    if not stat.S_ISREG(found.st_mode):  # a link may lead anywhere, a pipe never ends
        raise BundleError(path, "is not a regular file: copy the file itself into the bundle")
    return found.st_size


def _verify(path: Path, pinned: File) -> None:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(path, f"cannot be read ({error.strerror})") from error
    if digest != pinned.sha256:
        raise BundleError(path, f"has SHA-256 {digest}, the manifest says {pinned.sha256}: copy the bundle again")
