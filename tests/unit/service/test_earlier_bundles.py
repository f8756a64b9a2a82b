"""A bundle of an earlier format is served, or refused with the command that makes a new one."""

import json
import re
from pathlib import Path

import pytest

from service.bundle import FORMAT_VERSION, read_bundle
from service.core.local import LocalCore
from service.errors import BundleError
from service.limits import EngineLimits
from service.manifest import MANIFEST
from service.provider import Device
from service.setup import Setup
from tests.earlier_bundles import ARCHIVES, FIRST, PARENTS, TABLES, unpack


@pytest.mark.parametrize("name", ARCHIVES)
def test_earlier_bundle_is_served(tmp_path: Path, name: str) -> None:
    """It loads, which proves its golden translations, as far as it has graphs for them."""
    bundle = read_bundle(unpack(name, tmp_path))
    core = LocalCore(Setup(bundle, Device("cpu"), 1, EngineLimits(4, 16)), lambda requests: None)
    core.close()
    assert (bundle.manifest.name, core.facts.precision) == ("xx-yy", "fp32")
    assert bundle.manifest.has("tables") is (name != FIRST)


def test_every_shape_of_every_format_version_is_kept() -> None:
    """Whoever raises the version, or changes what a bundle has, adds one of those before."""
    assert FORMAT_VERSION == 1
    assert {*ARCHIVES} == {FIRST, TABLES, PARENTS}


@pytest.mark.parametrize("version", [0, 2, 10])
def test_other_format_is_refused_with_the_command(tmp_path: Path, version: int) -> None:
    """The message says what the bundle is, what the server reads, and how to make one for this repository."""
    path = unpack(TABLES, tmp_path)
    described = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(json.dumps({**described, "format_version": version}))
    command = re.escape(f"python -m export RUN {tmp_path}/xx-yy")
    wanted = (
        rf"manifest\.json: has format version {version}; this server reads 1: .*\({command}\), or update the server"
    )
    with pytest.raises(BundleError, match=wanted):
        read_bundle(path)
