"""The served systems that are measured side by side, and the command line that chooses them and their text."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.machine import commit
from benchmarks.ours import REPOSITORY, Ours, OurWorkers
from benchmarks.peers.ctranslate2 import CTranslate2
from benchmarks.peers.dynamic import dynamic
from benchmarks.peers.naive import naive
from benchmarks.peers.peer import Peer
from benchmarks.peers.triton import Triton
from service.bundle import read_bundle
from service.parts import FP16
from service.provider import choose_device
from service.session import choose_precision

OURS = "seq2serve"  # as shipped, and the first of all: it tells the others how long translations are


def parser(description: str | None) -> argparse.ArgumentParser:
    """Make a command line of what all comparisons have in common."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("file", type=Path, help="a source, or a source, a tab and a target, per line")
    made.add_argument("--sentences", type=int, default=500)
    made.add_argument("--runs", type=int, default=3)
    made.add_argument("--warm-up", type=int, default=128, help="sentences before each measurement")
    made.add_argument("--bundle", type=Path, default=REPOSITORY / "en-de" / "1", help="REPOSITORY/NAME/VERSION")
    made.add_argument("--plain", type=Path, help="a bundle of plain graphs: what somebody would export for Triton")
    made.add_argument("--checkouts", type=Path, nargs="*", default=[], help="earlier states of this repository")
    made.add_argument("--options", default="", help="of our server, such as '--precision fp32'")
    made.add_argument("--only", nargs="*", help=f"systems whose names hold one of these; CTranslate2 needs {OURS} too")
    made.add_argument("--json", type=Path, help="write every run there")
    return made


def served(arguments: argparse.Namespace, lengths: Mapping[str, int]) -> list[Peer]:
    """List the servers that were chosen and can run here; `lengths` are target tokens that others are told to produce.

    They are read when a peer makes a request: whoever measures ours fills them in.
    """
    bundle, plain, threads = arguments.bundle, arguments.plain, os.cpu_count() or 1
    repository, options = bundle.resolve().parents[1], tuple(arguments.options.split())
    version = f"{bundle.resolve().parent.name}/{bundle.resolve().name}"
    known: list[Peer] = [
        Ours(OURS, repository, version, options),
        *(
            Ours(f"{OURS} {one}", repository, version, (*options, "--precision", one))
            for one in _others(bundle, options)
        ),
        OurWorkers(f"{OURS}, {threads} workers", repository, version, options, workers=threads),
        Triton(bundle, threads, name=f"Triton, Python backend running ONNX Runtime, {threads} threads"),
        Triton(bundle, 1, instances=threads, name=f"Triton, the same, {threads} instances of one thread"),
        Triton(bundle, threads, drop=True, name="Triton, finished rows leave"),
        Triton(bundle, 1, instances=threads, drop=True, name=f"Triton, finished rows leave, {threads} instances"),
        dynamic(bundle, threads),
        naive(bundle, threads),
        *(CTranslate2(lengths, precision) for precision in ("fp32", "int8")),
    ]
    for checkout in arguments.checkouts:
        name = f"{OURS} at {commit(checkout)}"
        known.append(Ours(name, checkout / "model_repository", version, options, checkout.resolve()))
    if plain:
        known.append(Triton(plain, threads, name="Triton, plain graphs"))
        known.append(Triton(plain, threads, spinning=True, name="Triton, plain graphs, threads that spin"))
    return [peer for peer in known if chosen(arguments, peer.name, peer.missing())]


def _others(bundle: Path, options: Sequence[str]) -> list[str]:
    """List the precisions of a bundle but the one that our server takes by itself, and that of GPUs."""
    asked = options[options.index("--precision") + 1] if "--precision" in options else "auto"
    read = read_bundle(bundle)
    taken = choose_precision(asked, choose_device("auto"), read)
    return [precision for precision in read.manifest.precisions if precision not in (taken, FP16)]


def chosen(arguments: argparse.Namespace, name: str, missing: str = "") -> bool:
    """Tell whether a system is measured; names it, and why, where it was wanted and is missing."""
    if arguments.only and not any(part in name for part in arguments.only):
        return False
    if missing:
        print(f"skipped: {name}: {missing}", file=sys.stderr)
    return not missing
