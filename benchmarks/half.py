"""Greedy translations of a bundle in fp16 against its own in fp32, by the service's engine on the CPU.

python -m benchmarks.half BUNDLE ../shared/data/tatoeba-en-de/test.tsv     (source<TAB>target lines)
"""

import argparse
from pathlib import Path
from queue import SimpleQueue

from benchmarks.texts import read_pairs
from models.evaluation import score
from service.bundle import Bundle, read_bundle
from service.core.local import LocalCore
from service.cpu import available_cpus
from service.intake import Intake
from service.limits import EngineLimits
from service.parts import FP16, FP32
from service.provider import Device
from service.request import Request
from service.setup import Setup

SLOTS = 64


def translate(bundle: Bundle, precision: str, sources: list[str]) -> list[str]:
    """Translate sources in a precision; returns texts in the order given.

    Raises:
        RuntimeError: one of them failed.
    """
    news: SimpleQueue[list[Request]] = SimpleQueue()
    limits = EngineLimits(slots=SLOTS, queue=len(sources))
    setup = Setup(bundle, Device("cpu"), available_cpus(), limits, precision)
    core, intake = LocalCore(setup, news.put), Intake(bundle)
    requests = []
    for source in sources:
        ids = intake.vocabulary.encode(source)
        requests.append(intake.request(ids, intake.plain_options(len(ids), scored=False)))
        core.submit(requests[-1])
    left = len(requests)
    while left:
        left -= sum(request.finish_reason is not None for request in news.get())
    core.close()
    if failed := [request.error for request in requests if request.error is not None]:
        raise RuntimeError(f"{len(failed)} of {len(requests)} translations failed: {failed[0]}")
    return [intake.vocabulary.decode(request.hypotheses[0].ids) for request in requests]


def main() -> None:
    """Print how many translations are the same, and BLEU of both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="MODEL_REPOSITORY/NAME/VERSION, in fp32 and fp16")
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    bundle = read_bundle(arguments.bundle.resolve())
    sources, references = map(list, zip(*read_pairs(arguments.file), strict=True))
    found = {precision: translate(bundle, precision, sources) for precision in (FP32, FP16)}
    same = sum(a == b for a, b in zip(found[FP32], found[FP16], strict=True))
    print(f"{same} of {len(sources)} the same ({100 * same / len(sources):.2f} %)")
    for precision, texts in found.items():
        print(f"{precision}: BLEU {score(texts, references).bleu:.2f}")


if __name__ == "__main__":
    main()
