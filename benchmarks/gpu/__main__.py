"""All figures of a GPU, as tables.

benchmarks/gpu.sh FILE             runs this and the tests that need a GPU, on the first GPU
python -m benchmarks.gpu FILE --device cpu --quick      tries the measurement itself, on any machine
"""

import argparse
import asyncio
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
from benchmarks.gpu.opened import Variant, variants
from benchmarks.gpu.random_bundle import write_random_bundle
from benchmarks.machine import commit
from benchmarks.texts import read_pairs
from models.config import ModelConfig
from seq2serve.load.table import markdown
from service.bundle import Bundle, read_bundle
from service.provider import Device, choose_device
from tests.server_process import ROOT

ROWS, LENGTH = 64, 32
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
Rows = list[list[str]]


class Measurement:
    """Hold what all parts need."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.quick: bool = arguments.quick
        self.threads: int = arguments.threads
        self.device: Device = choose_device(arguments.device)
        self.bundle: Bundle = read_bundle(arguments.bundle)
        self.precision = "fp16" if "fp16" in self.bundle.manifest.precisions else "fp32"
        self.pairs = read_pairs(arguments.file)[: 60 if self.quick else None]
        self.texts = [source for source, _ in self.pairs]
        self.slots = 64 if self.quick else 512

    def ablation(self) -> Iterator[tuple[str, steps.StepTime]]:
        """Time a step, with one thing more at a time."""
        unbound = steps.measure_without_binding(self.bundle, self.device, "fp32", ROWS, LENGTH)
        yield "every array from the host and back", unbound
        for name, variant in variants(self.bundle.manifest.precisions).items():
            yield name, steps.measure_steps(self.bundle, self.device, variant, ROWS, LENGTH)

    def paper(self) -> steps.StepTime:
        """Time a step of the paper's model."""
        with tempfile.TemporaryDirectory() as folder:
            config = ModelConfig.model_validate(PAPER)
            bundle = write_random_bundle(config, 600 if self.quick else PAPER_VOCABULARY, Path(folder))
            return steps.measure_steps(bundle, self.device, Variant("fp16"), ROWS, LENGTH)

    def agreements(self) -> Iterator[list[str]]:
        """Compare pieces and BLEU with the CPU's in fp32."""
        references = [target for _, target in self.pairs]
        for precision in dict.fromkeys(("fp32", self.precision)):
            for beam in (1, 5):
                found = engine.measure_agreement(self.bundle, self.device, precision, self.texts, self.threads, beam)
                ours, theirs = (sacrebleu.corpus_bleu(t, [references]).score for t in (found.texts, found.expected))
                what = f"{precision}, {'greedy' if beam == 1 else f'beam {beam}'}"
                yield [
                    what,
                    f"{found.same} of {found.sentences}",
                    f"{found.share:.2f} %",
                    f"{ours:.2f}",
                    f"{theirs:.2f}",
                ]

    def serving(self) -> Rows:
        """Load a server."""
        many = (self.texts * (1 + 4000 // len(self.texts)))[: 200 if self.quick else 4000]
        middle = sorted(self.texts, key=len)[len(self.texts) // 2]
        with served.serve(str(self.device), self.slots, str(self.bundle.path.parents[1])) as server:
            unary = [asyncio.run(served.measure_unary(server.address, many, 256)) for _ in range(3)]
            batches = [asyncio.run(served.measure_batches(server.address, many * 4, 8)) for _ in range(3)]
            alone, pieces = asyncio.run(served.measure_alone(server.address, middle, 20 if self.quick else 200))
        return [
            ["served, one process, 256 in flight, unary, sentences/s", ">= 3,000", _spread(unary)],
            ["served, batches, sentences/s", ">= 20,000", _spread(batches)],
            [f"one request alone, {pieces} pieces, served p50, ms", "<= 4 (15 pieces)", f"{alone * 1000:.2f}"],
        ]


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


def main() -> None:
    """Measure one part after the other, and print each table as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="source<TAB>target lines")
    parser.add_argument("--bundle", type=Path, default=ROOT / "model_repository" / "en-de" / "1")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--threads", type=int, default=8, help="of the CPU that is compared with (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="little of everything, to try the measurement itself")
    arguments = parser.parse_args()
    measurement = Measurement(arguments)
    print(describe(), flush=True)
    bandwidth, rate = steps.measure_device(measurement.device)
    print(f"\nMeasured: {bandwidth / 1e9:,.0f} GB/s of copies, {rate / 1e12:,.2f} Tera-operations/s of products.")
    head = ["step of 64 rows, source 32", "us", "bytes copied a row", "MB moved", "G operations", "least us by these"]
    ablation = dict(measurement.ablation())
    print("\n" + markdown(head, [time.row(name, bandwidth, rate) for name, time in ablation.items()]), flush=True)
    last = list(ablation.values())[-1]
    paper = measurement.paper()
    eager = measure_eager(arguments.bundle, measurement.device, ROWS, LENGTH)
    tokens = engine.measure_throughput(
        measurement.bundle, measurement.device, measurement.precision, measurement.texts * 4, measurement.slots
    )
    rows = [
        ["decoder step, 64 rows, source 32, us", "<= 60", f"{last.seconds * 1e6:.0f}"],
        [f"engine without gRPC, {measurement.slots} slots, tokens/s", ">= 1,000,000", f"{tokens:,.0f}"],
        ["against PyTorch eager, batch 64", ">= 10 x", f"{eager / last.seconds:.1f} x ({eager * 1e6:.0f} us)"],
        ["bytes between host and device, a row and step", "<= 16", f"{last.copied:.1f}"],
        ["RNNsearch of the paper's size, step of 64 rows, us", "<= 150", f"{paper.seconds * 1e6:.0f}"],
        *measurement.serving(),
    ]
    print("\n" + markdown(["what", "target", "measured"], rows), flush=True)
    head = ["against the CPU in fp32", "the same pieces", "share", "BLEU", "BLEU of the CPU"]
    print("\n" + markdown(head, list(measurement.agreements())), flush=True)
    left = engine.measure_growth(
        measurement.bundle,
        measurement.device,
        measurement.precision,
        measurement.texts,
        300 if measurement.quick else 10_000,
    )
    print(f"\nMemory left after each tenth of mixed requests, MiB: {', '.join(str(b >> 20) for b in left)}")


if __name__ == "__main__":
    main()
