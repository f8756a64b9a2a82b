"""All figures of a GPU, as tables.

benchmarks/gpu.sh FILE             runs this and the tests that need a GPU, on the first GPU
python -m benchmarks.gpu FILE --device cpu --quick      tries the measurement itself, on any machine

Each row is printed as soon as it is measured. Each part has a process of its own, so that one that fails, or takes the
device along, costs no other.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import onnxruntime
import sacrebleu

from benchmarks.gpu import engine, served, steps
from benchmarks.gpu.eager import measure_eager
from benchmarks.gpu.opened import Variant, open_cpu, open_runner, variants
from benchmarks.gpu.random_bundle import write_random_bundle
from benchmarks.machine import commit
from benchmarks.texts import read_pairs
from models.config import ModelConfig
from seq2serve.load.table import markdown
from service.bundle import Bundle, read_bundle
from service.provider import Device, choose_device
from tests.server_process import ROOT

ROWS, LENGTH = 64, 32
WIDTH = 56  # of the first column
PAPER = {  # RNNsearch of Bahdanau et al. (2015), appendix A.2
    "cell": "gru",
    "embedding_size": 620,
    "encoder_hidden_size": 1000,
    "decoder_hidden_size": 1000,
    "attention_size": 1000,
    "attends": "before",
    "tie_embeddings": False,
}
PAPER_VOCABULARY = 30_000
Rows = Iterator[list[str]]


class Measurement:
    """Measure part by part; each method gives the rows of one as they come."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.quick: bool = arguments.quick
        self.threads: int = arguments.threads
        self.device: Device = choose_device(arguments.device)
        self.bundle: Bundle = read_bundle(arguments.bundle)
        self.precision = "fp16" if "fp16" in self.bundle.manifest.precisions else "fp32"
        self.pairs = read_pairs(arguments.file)[: 60 if self.quick else None]
        self.texts = [source for source, _ in self.pairs]
        self.slots = 64 if self.quick else 512

    def ablation(self) -> Rows:
        """Time a step, with one thing more at a time."""
        bandwidth, rate = steps.measure_device(self.device)
        print(f"\nMeasured: {bandwidth / 1e9:,.0f} GB/s of copies, {rate / 1e12:,.2f} Tera-operations/s of products.")
        unbound = steps.measure_without_binding(self.bundle, self.device, "fp32", ROWS, LENGTH)
        yield unbound.row("every array from the host and back", bandwidth, rate)
        for name, variant in variants(self.bundle.manifest.precisions).items():
            yield steps.measure_steps(self.bundle, self.device, variant, ROWS, LENGTH).row(name, bandwidth, rate)

    def paper(self) -> Rows:
        """Time a step of the paper's model."""
        with tempfile.TemporaryDirectory() as folder:
            config = ModelConfig.model_validate(PAPER)
            bundle = write_random_bundle(config, 600 if self.quick else PAPER_VOCABULARY, Path(folder))
            step = steps.measure_steps(bundle, self.device, Variant("fp16"), ROWS, LENGTH)
        yield ["RNNsearch of the paper's size, step of 64 rows, us", "<= 150", f"{step.seconds * 1e6:.0f}"]

    def eager(self) -> Rows:
        """Set a step against PyTorch's."""
        step = steps.measure_steps(self.bundle, self.device, Variant(self.precision), ROWS, LENGTH)
        yield ["decoder step, 64 rows, source 32, us", "<= 60", f"{step.seconds * 1e6:.0f}"]
        yield ["bytes between host and device, a row and step", "<= 16", f"{step.copied:.1f}"]
        eager = measure_eager(self.bundle.path, self.device, self.precision, ROWS, LENGTH)
        each = steps.measure_steps(self.bundle, self.device, Variant(self.precision, ahead=1), ROWS, LENGTH)
        ratio = f"{eager / each.seconds:.1f} x ({eager * 1e6:.0f} for {each.seconds * 1e6:.0f} us)"
        yield [f"against PyTorch eager, batch 64, {self.precision}, a look at each step", ">= 10 x", ratio]

    def engine(self) -> Rows:
        """Translate without a server."""
        tokens = engine.measure_throughput(self.bundle, self.device, self.precision, self.texts * 4, self.slots)
        yield [f"engine without gRPC, {self.slots} slots, tokens/s", ">= 1,000,000", f"{tokens:,.0f}"]

    def served(self) -> Rows:
        """Load a server."""
        many = (self.texts * (1 + 4000 // len(self.texts)))[: 200 if self.quick else 4000]
        middle = sorted(self.texts, key=len)[len(self.texts) // 2]
        with served.serve(str(self.device), self.slots, str(self.bundle.path.parents[1])) as server:
            unary = [asyncio.run(served.measure_unary(server.address, many, 256)) for _ in range(3)]
            yield ["served, one process, 256 in flight, unary, sentences/s", ">= 3,000", _spread(unary)]
            batches = [asyncio.run(served.measure_batches(server.address, many * 4, 8)) for _ in range(3)]
            yield ["served, batches, sentences/s", ">= 20,000", _spread(batches)]
            alone, pieces = asyncio.run(served.measure_alone(server.address, middle, 20 if self.quick else 200))
            yield [f"one request alone, {pieces} pieces, served p50, ms", "<= 4 (15 pieces)", f"{alone * 1000:.2f}"]

    def agreement(self) -> Rows:
        """Compare pieces and BLEU with the CPU's in fp32."""
        references, cpu = [target for _, target in self.pairs], open_cpu(self.bundle, "fp32", self.threads)
        for beam in (1, 5):
            expected = engine.translate(self.bundle, cpu, self.texts, beam)
            for precision in dict.fromkeys(("fp32", self.precision)):
                runner = open_runner(self.bundle, self.device, Variant(precision), engine.SLOTS)
                found = engine.translate(self.bundle, runner, self.texts, beam)
                same = sum(one.ids == other.ids for one, other in zip(found, expected, strict=True))
                bleu = (sacrebleu.corpus_bleu([one.text for one in t], [references]) for t in (found, expected))
                yield [
                    f"{precision}, {'greedy' if beam == 1 else f'beam {beam}'}",
                    f"{same} of {len(found)}",
                    f"{100 * same / len(found):.2f} %",
                    *(f"{one.score:.2f}" for one in bleu),
                ]

    def growth(self) -> Rows:
        """Look at the memory that is left, while requests of all kinds come."""
        requests = 300 if self.quick else 10_000
        left = engine.measure_growth(self.bundle, self.device, self.precision, self.texts, requests)
        for part, size in enumerate(left, 1):
            yield [f"{part * requests // 10:,}", f"{size / (1 << 20):,.1f}"]


TARGETS = ["what", "target", "measured"]
PARTS = {  # by the methods above
    "ablation": [
        "step of 64 rows, source 32",
        "us",
        "bytes copied a row",
        "MB moved",
        "G operations",
        "least us by these",
    ],
    "paper": TARGETS,
    "eager": TARGETS,
    "engine": TARGETS,
    "served": TARGETS,
    "agreement": ["against the CPU in fp32", "the same pieces", "share", "BLEU", "BLEU of the CPU"],
    "growth": ["mixed requests", "memory left, MiB"],
}


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def describe() -> str:
    """Name the GPU, its driver and the versions."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        gpu = subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        gpu = "no GPU"
    return f"{gpu}; ONNX Runtime {onnxruntime.__version__}, Python {sys.version.split()[0]}, commit {commit(ROOT)}"


def measure(part: str, arguments: argparse.Namespace) -> None:
    """Print the table of a part, row by row; what ends it early stands below."""
    try:
        head = [PARTS[part][0].ljust(WIDTH), *PARTS[part][1:]]
        rows: Rows = getattr(Measurement(arguments), part)()
        for number, row in enumerate(rows):
            lines = markdown(head, [[row[0].ljust(WIDTH), *row[1:]]]).splitlines()
            print("\n".join(["", *lines] if not number else lines[-1:]), flush=True)
    except BaseException as error:
        print(f"\n{part} failed: {error!r}", flush=True)
        raise


def main() -> None:
    """Measure one part after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="source<TAB>target lines")
    parser.add_argument("--bundle", type=Path, default=ROOT / "model_repository" / "en-de" / "1")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--threads", type=int, default=8, help="of the CPU that is compared with (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="little of everything, to try the measurement itself")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    arguments = parser.parse_args()
    print(describe(), flush=True)
    failed = []
    for part in dict.fromkeys(arguments.only):
        # Forked, as all is imported by now; the device is opened on the other side.
        process = multiprocessing.get_context("fork").Process(target=measure, args=(part, arguments))
        process.start()
        process.join()
        if process.exitcode:
            failed.append(f"{part} ({process.exitcode})")
    if failed:
        sys.exit(f"failed, with their exit codes: {', '.join(failed)}")


if __name__ == "__main__":
    main()
