"""The promises the repository makes about itself: sizes, locks, what is published and what serving installs."""

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS = PYPROJECT["dependency-groups"]
LOCKS = {name: ROOT / "requirements" / f"{name}.txt" for name in ("server", "test", "dev")}
IMAGES = {name: ROOT / "requirements" / f"{name}.txt" for name in ("cpu", "cuda")}
ADDED = {"tracing": ROOT / "requirements" / "tracing.txt"}  # to what serves, where it is asked for
MOST_LINES = 400
STUBS = ("client/seq2serve/v1", "service/kserve/stubs")  # generated
# In pieces, so that this file passes its own test.
INDEX_HOSTS = ["py" + "pi.org", "python" + "hosted.org", "download.py" + "torch.org"]
PIN = re.compile(r"(?P<requirement>[\w.-]+==[^\s;]+(?: ; [^\\]+)?) \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")
PLATFORMS = {
    "Linux on x86-64": {"sys_platform": "linux", "platform_machine": "x86_64"},
    "Linux on ARM": {"sys_platform": "linux", "platform_machine": "aarch64"},
    "macOS": {"sys_platform": "darwin", "platform_machine": "arm64"},
    "Windows": {"sys_platform": "win32", "platform_machine": "AMD64"},
}


def tracked(pattern: str = "") -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip(f"git lists no files here: {listing.stderr.strip()}")
    files = [ROOT / name for name in listing.stdout.split("\0") if name.endswith(pattern)]
    return [file for file in files if file.is_file()]


def group(name: str) -> Iterator[Requirement]:
    for entry in GROUPS[name]:
        if isinstance(entry, str):
            yield Requirement(entry)
        else:
            yield from group(entry["include-group"])


def locked(name: str) -> list[Requirement]:
    matches = map(PIN.fullmatch, (LOCKS | IMAGES | ADDED)[name].read_text(encoding="utf-8").splitlines())
    return [Requirement(match["requirement"]) for match in matches if match]


def test_no_file_is_long() -> None:
    """No Python file but the generated stubs is longer than 400 lines."""
    written = [file for file in tracked(".py") if not any(file.is_relative_to(ROOT / stubs) for stubs in STUBS)]

    lengths = {str(file.relative_to(ROOT)): len(file.read_bytes().splitlines()) for file in written}

    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_file_names_a_package_index() -> None:
    """Which package index is used is the business of each machine, so no file names one."""
    naming = [
        str(file.relative_to(ROOT))
        for file in tracked()
        if any(host.encode() in file.read_bytes().lower() for host in INDEX_HOSTS)
    ]

    assert naming == []


def test_no_property_test_is_timed() -> None:
    """Whichever tests run: a busy machine is no failure."""
    assert settings.default is not None
    assert settings.default.deadline is None


def test_the_wheel_is_the_client() -> None:
    """The wheel packages client/seq2serve and nothing else, and asks for gRPC and protobuf only."""
    assert PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"] == {"packages": ["client/seq2serve"]}
    assert {Requirement(one).name for one in PYPROJECT["project"]["dependencies"]} == {"grpcio", "protobuf"}


@pytest.mark.parametrize("name", ["server", *IMAGES])
def test_serving_needs_no_torch(name: str) -> None:
    """No group that serves reaches what only training and export need."""
    assert {"onnx", "onnxscript", "torch"}.isdisjoint(one.name for one in group(name))


def test_torch_has_one_version() -> None:
    """The Makefile installs the torch that the groups declare."""
    pins = {str(one) for name in GROUPS for one in group(name) if one.name == "torch"}

    assert pins == set(re.findall(r"^TORCH := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("name", LOCKS | IMAGES | ADDED)
def test_locks_are_pins_with_hashes(name: str) -> None:
    """A lock holds exact versions and their hashes: no option, no address and no path."""
    lines = (LOCKS | IMAGES | ADDED)[name].read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if not PIN.fullmatch(line) and not HASH.fullmatch(line)] == []


@pytest.mark.parametrize("name", LOCKS | ADDED)
def test_locks_leave_torch_to_the_makefile(name: str) -> None:
    """A lock holds neither torch nor the gigabytes that its CUDA build brings."""
    names = {canonicalize_name(one.name) for one in locked(name)}

    assert [one for one in names if one in ("torch", "triton") or one.startswith("nvidia-")] == []


@pytest.mark.parametrize("name", LOCKS | IMAGES | ADDED)
def test_locks_hold_what_their_group_asks_for(name: str) -> None:
    """Whoever adds a dependency to a group also runs make lock."""
    declared = {canonicalize_name(one.name): one for one in group(name) if one.name != "torch"}
    versions = {canonicalize_name(one.name): next(iter(one.specifier)).version for one in locked(name)}

    assert [one for one in declared if one not in versions] == []
    assert [str(one) for key, one in declared.items() if versions[key] not in one.specifier] == []


def test_locks_agree() -> None:
    """The smaller locks are parts of the larger, so no later install changes an earlier one."""
    server, test, dev = ({(one.name, str(one.specifier)) for one in locked(name)} for name in LOCKS)

    assert server <= test <= dev
    assert {(one.name, str(one.specifier)) for one in locked("tracing")} <= test


@pytest.mark.parametrize("name", IMAGES)
def test_images_have_what_is_tested(name: str) -> None:
    """But for ONNX Runtime's other wheel and the libraries of CUDA, an image has the versions that the tests had."""
    tested = {(one.name, str(one.specifier)) for one in locked("server")}
    other = {one.name for one in locked(name) if (one.name, str(one.specifier)) not in tested}

    assert {one for one in other if not one.startswith("nvidia-")} == set()


def test_the_cpu_image_has_no_cuda() -> None:
    """It takes a tenth of the space."""
    names = {one.name for one in locked("cpu")}

    assert "onnxruntime" in names
    assert {one for one in names if one.startswith(("nvidia-", "onnxruntime-gpu"))} == set()


@pytest.mark.parametrize("name", LOCKS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_one_onnxruntime(name: str, platform: str) -> None:
    """Each platform gets exactly one of the two onnxruntime wheels, which install the same files."""
    chosen = [
        one.name
        for one in locked(name)
        if one.name.startswith("onnxruntime") and (one.marker is None or one.marker.evaluate(PLATFORMS[platform]))
    ]

    assert chosen == ["onnxruntime-gpu" if platform == "Linux on x86-64" else "onnxruntime"]


def test_the_bundled_models_are_exported_again_as_they_are() -> None:
    """The command of CONTRIBUTING.md names all of them, and their precisions."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named, precisions = re.findall(r"^for name in (.*); do\n.*--precision ([^\\]*)\\$", text, re.MULTILINE)[0]
    bundles = sorted(ROOT.glob("model_repository/*/1/manifest.json"))
    assert named.split() == [file.parts[-3] for file in bundles]
    for file in bundles:
        graphs = json.loads(file.read_text(encoding="utf-8"))["graphs"]
        assert precisions.split() == list(dict.fromkeys(graph["precision"] for graph in graphs)), file
