"""Forged copies of a bundle whose digests are right again, and what loading each of them says.

python -m tests.bundle_forgeries BUNDLE FOLDER BYTES prints a line of JSON for each: its name, what must be said, what
was. No more than BYTES of address space are taken. The limit is set here and not by whoever starts this: Python forks
to call back between fork and exec, and gRPC's poller would run in that child, and fall over its closed files.
"""

import hashlib
import json
import os
import random
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from service.bundle import read_bundle
from service.core.local import LocalCore
from service.errors import StartupError
from service.limits import EngineLimits
from service.manifest import MANIFEST
from service.provider import Device
from service.setup import Setup

LIMITS = EngineLimits(4, 16)
EITHER = ""  # refused, or it proves itself by the golden translations
WEIGHTS = "weights.bin"
LACKING = r"step\.onnx: ONNX Runtime cannot load it: (.|\n)*External initializer"


@dataclass(frozen=True)
class Forgery:
    """Change files and manifest of a copy; loading it must say what matches `refusal`."""

    name: str
    refusal: str
    files: dict[str, Callable[[bytes], bytes]]
    manifest: Callable[[dict[str, Any]], object] = lambda manifest: None

    def forge(self, folder: Path) -> None:
        """Change a copy, and list its files as they are then."""
        manifest = json.loads((folder / MANIFEST).read_bytes())
        for name, change in self.files.items():
            content = change((folder / name).read_bytes())
            (folder / name).unlink()
            (folder / name).write_bytes(content)
            manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        self.manifest(manifest)
        (folder / MANIFEST).unlink()
        (folder / MANIFEST).write_text(json.dumps(manifest))


def forgeries(bundle: Path) -> Iterator[Forgery]:
    """List all forgeries of a bundle, the same each time."""
    contents = {path.name: path.read_bytes() for path in bundle.iterdir()}

    def put(name: str) -> Callable[[bytes], bytes]:
        return lambda content: contents[name]

    yield Forgery("nothing changed", EITHER, {})
    wrong = "golden sentence .* gives"
    yield Forgery("weights of zeros", wrong, {WEIGHTS: lambda content: bytes(len(content))})
    yield Forgery("weights that are no numbers", wrong, {WEIGHTS: lambda content: b"\xff" * len(content)})
    yield Forgery("weights in another order", wrong, {WEIGHTS: lambda content: content[::-1]})
    yield Forgery("weights of noise", wrong, {WEIGHTS: lambda content: random.Random(1).randbytes(len(content))})
    yield Forgery("fewer weights", LACKING, {WEIGHTS: lambda c: c[: len(c) // 2]})
    yield Forgery("weights of int8", LACKING, {WEIGHTS: put("weights_int8.bin")})
    for name, other in (("encoder", "step"), ("step", "encoder"), ("step", "step_full"), ("step_greedy", "step")):
        tensors = rf"{name}\.onnx: has (in|out)puts \[.*the manifest says"
        yield Forgery(f"{other} as {name}", tensors, {f"{name}.onnx": put(f"{other}.onnx")})
    yield Forgery("step of int8 as that of fp32", EITHER, {"step.onnx": put("step_int8.onnx")})
    for name in ("step", "step_full", "step_greedy"):  # one matrix is read from another's place
        moved = {f"{name}.onnx": partial(_replaced, b"6830592", b"6567936")}
        yield Forgery(f"other weights in {name}", wrong, moved)
    for outside in (b"/etc/passwd", b"../outside"):
        location = outside.ljust(len(WEIGHTS), b"/")[: len(WEIGHTS)]
        yield Forgery(
            f"weights in {outside.decode()}",
            r"encoder\.onnx: ONNX Runtime cannot load it",
            {"encoder.onnx": partial(_replaced, WEIGHTS.encode(), location)},
        )
    for name in ("encoder.onnx", "step.onnx", "step_greedy.onnx", "tables.onnx", "vocabulary.model"):
        for number in range(4):
            yield Forgery(f"flip {number} in {name}", EITHER, {name: _flipped(random.Random(f"{name}{number}"))})
        yield Forgery(f"{name} empty", name, {name: lambda content: b""})
        yield Forgery(f"{name} cut", name.replace(".", r"\."), {name: lambda content: content[: len(content) // 3]})
    yield from _manifests()


def _replaced(old: bytes, new: bytes, content: bytes) -> bytes:
    return content.replace(old, new)


def _flipped(drawn: random.Random) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        place = drawn.randrange(len(content))
        return content[:place] + bytes([content[place] ^ 1 << drawn.randrange(8)]) + content[place + 1 :]

    return change


def _manifests() -> Iterator[Forgery]:
    def ids(manifest: dict[str, Any]) -> None:
        manifest["golden"][0]["outputs"]["fp32"]["ids"][0] += 1

    def wide(manifest: dict[str, Any]) -> None:
        manifest["state"][0]["shape"][2] = 1 << 20

    def many(manifest: dict[str, Any]) -> None:
        for graph in manifest["graphs"]:
            for tensor in graph["inputs"] + graph["outputs"]:
                if tensor["name"].endswith("hidden_0"):
                    tensor["shape"][-1] = 1 << 20
        wide(manifest)

    def larger(manifest: dict[str, Any]) -> None:
        manifest["vocabulary"]["size"] += 1
        for tensor in manifest["tables"]:
            tensor["shape"][0] += 1
        for graph in manifest["graphs"]:
            for tensor in graph["outputs"]:
                if tensor["name"] in ("logits", "log_probabilities"):
                    tensor["shape"][-1] += 1

    def letters(manifest: dict[str, Any]) -> None:
        manifest["candidates"] = 64
        for graph in manifest["graphs"]:
            for tensor in graph["outputs"]:
                if tensor["name"].startswith("candidate"):
                    tensor["shape"][-1] = "C"

    changes: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
        "another golden translation": (ids, "golden sentence .* gives"),
        "another golden source": (lambda m: m["golden"][0].update(source="Nobody."), "other pieces than training"),
        "another end": (lambda m: m["special_ids"].update(eos=5), r"vocabulary\.model: numbers padding, unknown"),
        "another unknown": (lambda m: m["special_ids"].update(unk=9), r"vocabulary\.model: numbers padding, unknown"),
        "more pieces": (larger, r"vocabulary\.model: has 8000 pieces, the manifest says 8001"),
        "wide state in one place": (wide, "golden sentence .* gives an error|the manifest says"),
        "wide state everywhere": (many, r"encoder\.onnx: output hidden_0 is .*the manifest says"),
        "more candidates": (letters, r"step\.onnx: output candidate_.* the manifest says"),
        "longest limits": (lambda m: m["limits"].update(max_source_tokens=1 << 16, max_length=1 << 16), EITHER),
        "shortest limits": (lambda m: m["limits"].update(max_length=1), "golden sentence .* gives"),
    }
    for name, (change, refusal) in changes.items():
        yield Forgery(name, refusal, {}, change)


def main() -> None:
    """Load all forgeries of a bundle in a folder."""
    bundle, folder, memory = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    kept = shutil.copytree(bundle, folder / "kept")
    for forgery in forgeries(kept):
        print(json.dumps({"name": forgery.name, "refusal": forgery.refusal}), flush=True)
        copy = folder / "copy" / "1"
        shutil.copytree(kept, copy, copy_function=os.link)
        forgery.forge(copy)
        said = ""
        try:
            LocalCore(Setup(read_bundle(copy), Device("cpu"), 1, LIMITS, "fp32"), lambda requests: None).close()
        except StartupError as error:
            said = str(error)
        print(json.dumps({"said": said}), flush=True)
        shutil.rmtree(folder / "copy")


if __name__ == "__main__":
    main()
