"""CTranslate2's side of the measurement; it runs in its own virtual environment.

A sentence ends where it is told to because a callback, which CTranslate2 asks at each token, says so. That costs it a
few hundredths of its time. Groups of equal length with a bound each need no callback, and cost more: they are too small
for full batches. Batches that all run to their longest sentence produce tokens that nobody wants.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import ctranslate2

from benchmarks.peers.library_result import BATCH, Job, measure

COMPUTE_TYPES = {"fp32": "float32", "int8": "int8"}


def open_translator(folder: str, precision: str, threads: int) -> ctranslate2.Translator:
    """Load the model; one thread each for several batches takes it less processor time than several for one."""
    return ctranslate2.Translator(folder, compute_type=COMPUTE_TYPES[precision], inter_threads=threads, intra_threads=1)


def translate(translator: ctranslate2.Translator, jobs: Sequence[Job], most: int) -> list[list[str]]:
    """Translate greedily, in batches of at most so many sentences of similar length; finished rows leave them."""
    wanted = [target for _, target in jobs]
    results = translator.translate_batch(
        [source for source, _ in jobs],
        beam_size=1,
        max_batch_size=most,  # it sorts by length before it splits
        max_decoding_length=max(wanted),
        callback=lambda token: token.step + 1 >= wanted[token.batch_id],
    )
    return [result.hypotheses[0] for result in results]


def main(folder: str, jobs: str, precision: str, threads: str) -> None:
    """Print a result."""
    translator = open_translator(folder, precision, int(threads))  # never global: with a callback that ends in abort()
    measure(
        "CTranslate2",
        ctranslate2.__version__,
        f"{COMPUTE_TYPES[precision]}, inter_threads {threads}, intra_threads 1, beam 1, batches of {BATCH} by length",
        lambda some: sum(map(len, translate(translator, some, BATCH))),
        Path(jobs).read_text(encoding="utf-8"),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
