"""Damaged copies of a bundle, and what reading each of them says.

python -m tests.bundle_mutations BUNDLE FOLDER BYTES prints a line of JSON for each: its name, what must be said, what
was. No more than BYTES of address space are taken. The limit is set here and not by whoever starts this: Python forks
to call back between fork and exec, and gRPC's poller would run in that child, and fall over its closed files.
"""

import json
import os
import random
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.bundle import read_bundle
from service.errors import BundleError
from service.manifest import MANIFEST

FLIPS, MANIFEST_FLIPS = 30, 300  # of single bits, in each file
TERABYTES = 1 << 42
NAMES = (
    *(
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a/b",
        "..\\x",
        "C:\\x",
        "x\0",
        "x\n",
        "\n",
        MANIFEST,
        ".hidden",
    ),
    *("./step.onnx", "step.onnx/", "\u017ftep.onnx", "x" * 5000, "~", "%2e%2e", "$HOME", "file:///etc/passwd"),
)
VALUES = (None, True, -1, 1.5, "1", "", [], {}, [[]], {"a": 1})
NUMBERS = (-1, -(1 << 63), 1 << 31, 10**12, 1 << 63, 10**30)
READABLE = ""  # what must be said of a mutation that may be read
Change = Callable[[Path], object]


@dataclass(frozen=True)
class Mutation:
    """Change a copy of a bundle; reading it must say what matches `refusal`."""

    name: str
    change: Change
    refusal: str


def mutations(bundle: Path) -> Iterator[Mutation]:
    """List all mutations of a bundle, the same each time."""
    files = sorted(path.name for path in bundle.iterdir() if path.name != MANIFEST)
    text = (bundle / MANIFEST).read_bytes()
    for name in files:
        yield from _damaged(name, (bundle / name).stat().st_size)
    for first, second in ((a, b) for a in files for b in files if a < b):
        yield Mutation(f"{first} and {second} swapped", _swap(first, second), "(bytes|SHA-256).*copy the bundle again")
    for name in ("extra.onnx", "weights.bin.1", ".hidden", "evil.so", "manifest.json.orig", "ATTRIBUTION.md~"):
        yield Mutation(f"{name} added", _write(name, b"x"), f"{name}: is not listed in the manifest: delete it")
    yield Mutation("folder added", lambda path: (path / "more").mkdir(), "more: is not listed in the manifest")
    yield from _manifest_as_file(text)
    yield from _manifest_texts(text)
    manifest = json.loads(text)
    for path, value in _places(manifest):
        yield from _changed_values(path, value)
    yield from _named(manifest)


def _damaged(name: str, size: int) -> Iterator[Mutation]:
    drawn = random.Random(name)
    for _ in range(FLIPS):
        place, bit = drawn.randrange(size), drawn.randrange(8)
        yield Mutation(f"bit {bit} of {name}[{place}] flipped", _flip(name, place, bit), f"{name}: has SHA-256")
    for length in (0, size // 2, size - 1, size + 1, TERABYTES):
        yield Mutation(f"{name} of {length} bytes", _resize(name, length), f"{name}: has {length} bytes, the manifest")
    yield Mutation(f"{name} missing", lambda path: (path / name).unlink(), f"{name}: cannot be read .No such file")
    for kind, make in _not_files().items():
        yield Mutation(f"{name} as {kind}", _replace(name, make), f"{name}: is not a regular file")


def _not_files() -> dict[str, Change]:
    def link(path: Path) -> None:
        kept = path.parent.parent / "outside"
        kept.unlink(missing_ok=True)
        path.rename(kept)
        path.symlink_to(kept)

    return {
        "a folder": _instead(Path.mkdir),
        "a pipe": _instead(lambda path: os.mkfifo(path)),
        "a link outside": link,
        "a link to itself": _instead(lambda path: path.symlink_to(path.name)),
        "a link to a device": _instead(lambda path: path.symlink_to("/dev/zero")),
    }


def _manifest_as_file(text: bytes) -> Iterator[Mutation]:
    drawn = random.Random(MANIFEST)
    for _ in range(MANIFEST_FLIPS):
        place, bit = drawn.randrange(len(text)), drawn.randrange(8)
        yield Mutation(f"bit {bit} of {MANIFEST}[{place}] flipped", _flip(MANIFEST, place, bit), READABLE)
    yield Mutation("manifest missing", lambda path: (path / MANIFEST).unlink(), f"{MANIFEST}: cannot be read")
    yield Mutation("manifest of terabytes", _resize(MANIFEST, TERABYTES), f"{MANIFEST}: is not a manifest: has")
    for kind, make in _not_files().items():
        yield Mutation(f"manifest as {kind}", _replace(MANIFEST, make), f"{MANIFEST}: is not a regular file")
    for length in range(0, len(text) - 2, 500):
        yield Mutation(f"manifest of {length} bytes", _resize(MANIFEST, length), f"{MANIFEST}: is not a manifest")


def _manifest_texts(text: bytes) -> Iterator[Mutation]:
    body = text.strip()[1:]
    texts = {
        "empty": b"", "null": b"null", "a list": b"[]", "a number": b"1", "NaN": b"NaN", "open": b"{",
        "binary": bytes(range(256)),
        "UTF-16": text.decode().encode("utf-16"), "with a mark": b"\xef\xbb\xbf" + text, "of zeros": bytes(1000),
        "with garbage behind": text + b"}", "twice": text * 2, "not UTF-8": text.replace(b"en-de", b"en\xff-de", 1),
        "with half a surrogate": text.replace(b"Translates", b"\\ud800", 1), "of spaces": text + b" " * (5 << 20),
        "deep lists": b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"," + body,
        "deep objects": b'{"x":' * 100_000 + b"1" + b"}" * 100_000,
        "deep before all": b"[" * 1_000_000, "long number": b'{"x":' + b"9" * 100_000 + b"," + body,
        "long format version": text.replace(b'"format_version": 1', b'"format_version": ' + b"1" * 10_000, 1),
        "key twice": b'{"name":"x",' + body,
        "nested key twice": text.replace(b'"pad": 0', b'"pad": 0, "pad": 0', 1),
        "file twice": text.replace(b'"files": {', b'"files": {"step.onnx": {"bytes": 1, "sha256": ""},', 1),
        "unknown key twice": b'{"x":1,"x":2,' + body,
    }  # fmt: skip
    for name, content in texts.items():
        yield Mutation(f"manifest {name}", _write(MANIFEST, content), f"{MANIFEST}: is not a manifest: ")
    for version in (0, -1, 2, 99, 10**30):
        yield Mutation(
            f"format version {version}",
            _edit(("format_version",), version),
            f"has format version {version}; this server reads 1: .*python -m export RUN",
        )


def _places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Walk a manifest; of a list's elements the first and the last."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for key in value:
            yield from _places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in sorted({0, len(value) - 1}) if value else []:
            yield from _places(value[index], (*path, index))


def _changed_values(path: tuple[str | int, ...], value: Any) -> Iterator[Mutation]:
    name = ".".join(map(str, path))
    if path == ("format_version",):
        return
    free = path[:2] == ("architecture", "options") and len(path) == 3  # of any plain type: no server reads them
    for wrong in VALUES:
        number = isinstance(value, float) and type(wrong) in (float, int)
        if not (type(wrong) is type(value) or number) or (isinstance(value, str) and "shape" in path):
            refusal = READABLE if free and isinstance(wrong, (bool, int, float, str)) else f"{MANIFEST}: \\S"
            yield Mutation(f"{name} is {wrong!r}", _edit(path, wrong), refusal)
    if isinstance(value, int):
        for number in NUMBERS:
            allowed = free or (path[-1] == "parameters" and 0 <= number < 1 << 63)
            yield Mutation(f"{name} is {number}", _edit(path, number), READABLE if allowed else "manifest")


def _named(manifest: dict[str, Any]) -> Iterator[Mutation]:
    """Name files that are not in the folder, wherever a manifest names one."""
    for name in NAMES:
        refusal = f"{MANIFEST}: .*(is not a plain file name|is used but not listed)"
        for path in (("graphs", 0, "file"), ("graphs", 1, "file"), ("vocabulary", "file")):
            used = Mutation(f"{path[0]} uses {name[:30]!r}", _edit(path, name), refusal)
            listed = {**manifest["files"], name: manifest["files"]["step.onnx"]}
            both = _both(_edit(("files",), listed), _edit(path, name))
            yield from (
                used,
                Mutation(f"{path[0]} uses and lists {name[:30]!r}", both, f"{MANIFEST}: .*plain file name"),
            )
    for other in manifest["files"]:  # a claim of terabytes that the disk confirms
        both = _both(_edit(("files", other, "bytes"), TERABYTES), _resize(other, TERABYTES))
        yield Mutation(
            f"{other} of terabytes, as listed", both, f"{MANIFEST}: files.{other}.bytes: Input should be less"
        )


def _edit(path: tuple[str | int, ...], value: Any) -> Change:
    def change(folder: Path) -> None:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        inner = manifest
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        _write(MANIFEST, json.dumps(manifest).encode())(folder)

    return change


def _both(first: Change, second: Change) -> Change:
    return lambda folder: (first(folder), second(folder))


def _write(name: str, content: bytes) -> Change:
    """Write a new file: the old one is shared with all other copies."""

    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(content)

    return change


def _flip(name: str, place: int, bit: int) -> Change:
    def change(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[place] ^= 1 << bit
        _write(name, bytes(content))(folder)

    return change


def _resize(name: str, length: int) -> Change:
    def change(folder: Path) -> None:
        _write(name, (folder / name).read_bytes())(folder)
        os.truncate(folder / name, length)

    return change


def _swap(first: str, second: str) -> Change:
    def change(folder: Path) -> None:
        (folder / first).rename(folder.parent / "kept")
        (folder / second).rename(folder / first)
        (folder.parent / "kept").rename(folder / second)

    return change


def _replace(name: str, make: Change) -> Change:
    return lambda folder: make(folder / name)


def _instead(make: Change) -> Change:
    return lambda path: (path.unlink(), make(path))


def main() -> None:
    """Read all mutations of a bundle in a folder."""
    bundle, folder, memory = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    kept = shutil.copytree(bundle, folder / "kept")
    for mutation in mutations(kept):
        copy = folder / "copy" / "1"
        shutil.copytree(kept, copy, copy_function=os.link)
        mutation.change(copy)
        said = facts = ""
        try:
            facts = read_bundle(copy).manifest.model_dump_json()
        except BundleError as error:
            said = str(error)
        print(json.dumps({"name": mutation.name, "refusal": mutation.refusal, "said": said, "read": facts}), flush=True)
        shutil.rmtree(folder / "copy")


if __name__ == "__main__":
    main()
