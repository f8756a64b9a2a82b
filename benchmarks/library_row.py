"""Decoders without a server in front, each in a process of its own, as lines of the same table."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import ctranslate2, marian
from benchmarks.peers.library_result import END, Result
from benchmarks.row import Row
from seq2serve.load import percentile
from tests.server_process import ROOT

Run = Callable[[list[list[str]], list[int], str], Result]


@dataclass(frozen=True)
class Library:
    """Translate all sentences in one call, at another system's length of output."""

    name: str
    run: Run
    precision: str
    missing: Callable[[], str]

    def measure(self, sources: list[list[str]], targets: list[int]) -> Row:
        """Translate pieces of sources to so many target tokens each, and the end symbol, which is a step as well."""
        found = self.run(sources, [target + END for target in targets], self.precision)
        return Row(
            sentences_per_second=found.sentences_per_second,
            generator_share=None,
            tokens_per_second=(found.target_tokens - END * found.sentences) / found.seconds,
            p50=None,
            p95=None,
            p99=None,
            goodput=None,
            cpu_per_thousand=1000 * found.cpu_seconds / found.sentences,
            peak_megabytes=found.peak_bytes / 1e6,
            failed=0,
        )


LIBRARIES = (
    Library("CTranslate2 fp32, no server", ctranslate2.run, "fp32", ctranslate2.missing),
    Library("CTranslate2 int8, no server", ctranslate2.run, "int8", ctranslate2.missing),
    Library("Marian (the wheel) fp32, no server", marian.run, "fp32", marian.missing),
    Library("Marian (the wheel) int8, no server", marian.run, "int8", marian.missing),
)


def measure_offline(file: Path, sentences: int, bundle: Path, threads: int, precision: str, way: str) -> Row:
    """Run benchmarks.peers.offline, which has our graphs and neither server nor padding waste.

    One sentence alone is translated by one thread and by all, and the faster counts: a server of ours chooses, too.

    Raises:
        RuntimeError: it failed; says why.
    """
    if way != "one_at_a_time" or threads == 1:
        return _offline(file, sentences, bundle, threads, precision, way)
    rows = [_offline(file, sentences, bundle, count, precision, way) for count in (1, threads)]
    return max(rows, key=lambda row: row.sentences_per_second)


def _offline(file: Path, sentences: int, bundle: Path, threads: int, precision: str, way: str) -> Row:
    command = [sys.executable, "-m", "benchmarks.peers.offline", str(file), "--bundle", str(bundle), "--json"]
    command += ["--threads", str(threads), "--way", way, "--sentences", str(sentences)]
    command += ["--precision", precision]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"the offline loop failed: {ended.stderr.strip()}")
    found = json.loads(ended.stdout)
    latencies: list[float] = sorted(found["latencies"])
    return Row(
        sentences_per_second=found["sentences_per_second"],
        generator_share=None,
        tokens_per_second=found["tokens_per_second"],
        p50=percentile(latencies, 50),
        p95=percentile(latencies, 95),
        p99=percentile(latencies, 99),
        goodput=None,
        cpu_per_thousand=1000 * found["cpu_seconds"] / found["sentences"],
        peak_megabytes=None,
        failed=0,
    )
