"""Marian's side of the measurement; it runs in its own virtual environment.

A sentence of N tokens, the end symbol counted, is forced to begin with N - 1, and the model's bias makes the end
symbol the last: N decoder steps, after which its row leaves the batch. Forcing costs next to nothing. The other way,
--max-length-factor 1 and a model that never ends, lets each sentence of a batch run as long as its longest source:
that makes other lengths than were wanted, and rows that never leave.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers.library_result import BATCH, Job, measure, read_jobs

GEMM_TYPES = {"fp32": "float32", "int8": "packed8"}
# Marian never says <unk> of itself, and gives up the whole process where a forced piece is none of its vocabulary.
FORCED = "--force-decode --allow-unk --tsv --tsv-fields 2"


def line(job: Job) -> str:
    """Write a source, a tab, and the beginning of its translation: the source's pieces, over and over."""
    source, target = job
    beginning = (source * (target // len(source) + 1))[: target - 1]
    return f"{' '.join(source)}\t{' '.join(beginning)}"


def factor(jobs: Sequence[Job]) -> int:
    """Return how many times as long as its source a translation may be."""
    return max(target // len(source) for source, target in jobs) + 1


def main(folder: str, file: str, precision: str, threads: str) -> None:
    """Print a result."""
    import _pymarian  # here, for tests; pymarian itself also wants what downloads models

    text = Path(file).read_text(encoding="utf-8")
    names = f"{folder}/vocabulary.txt"
    settings = f"--beam-size 1 --skip-cost --mini-batch {BATCH} --maxi-batch 1000 --maxi-batch-sort src"
    settings += f" --cpu-threads {threads} --gemm-type {GEMM_TYPES[precision]}"
    files = f"--models {folder}/model.npz --vocabs {names} {names} --quiet"
    bound = f"--max-length-factor {factor(read_jobs(text))}"  # never reached
    translator = _pymarian.Translator(f"{files} {settings} {FORCED} {bound}")

    def translate(jobs: Sequence[Job]) -> int:
        return sum(len(found.split()) + 1 for found in translator.translate(list(map(line, jobs))))  # and the end

    measure("Marian", version("pymarian"), settings, translate, text)


if __name__ == "__main__":
    main(*sys.argv[1:])
