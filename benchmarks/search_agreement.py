"""Served translations against the slow reference over PyTorch, for every way of searching.

python -m benchmarks.search_agreement FILE [--sentences 500] [--only NAME]     (as benchmarks.agreement)

All requests go 64 at a time in random order, option sets mixed. What differs is a tie if noise with a deviation of the
size of rounding leads the reference to the served result, too; to each sample on its own, as one does not know of the
others.
"""

import argparse
import asyncio
import hashlib
import json
import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import torch

from benchmarks.texts import read_texts
from export.restore import restore
from models.seq2seq import Seq2Seq
from models.tokenizer import Tokenizer
from seq2serve import AsyncClient
from seq2serve.options import TranslateOptions
from service.bundle import read_bundle
from service.parts import FP32
from tests import option_sets, reference_search
from tests.option_sets import OptionSet, search_options
from tests.reference_search import decode
from tests.server_process import ROOT, ServerProcess

BUNDLE = ROOT / "model_repository" / "en-de" / "1"
CACHE = Path(tempfile.gettempdir()) / "seq2serve-reference"
IN_FLIGHT = 64
ROUNDING = 5e-5  # nats: the largest difference between graphs and PyTorch that an export finds
TRIES = 16  # with noise of each size
SIZES = (ROUNDING, 0.1 * ROUNDING)
HEAD = "| options | beam | sentences | identical | ties | wrong | log-probabilities apart |\n|" + "---|" * 7


class Outcome(NamedTuple):
    """Hold what is compared of one hypothesis."""

    ids: tuple[int, ...]
    finish_reason: str
    log_probability: float


Outcomes = list[Outcome]  # of one sentence


@cache
def _loaded() -> tuple[Tokenizer, Seq2Seq]:
    torch.set_num_threads(1)
    return restore(BUNDLE)


def reference(source: str, options: TranslateOptions) -> Outcomes:
    """Translate one source as the semantics say."""
    tokenizer, model = _loaded()
    (ids,) = tokenizer.encode([source])
    hypotheses = decode(model, ids, search_options(options, len(ids), tokenizer.path))
    return [Outcome(one.ids, one.finish_reason, one.log_probability) for one in hypotheses]


def is_tie(source: str, options: TranslateOptions, served: Outcomes) -> bool:
    """Tell whether rounding can lead to the served result."""
    torch.manual_seed(0)
    made = [with_noise(source, options, size) for size in SIZES for _ in range(TRIES)]
    if "seed" in options:
        samples = {one[:2] for found in made for one in found}
        return all(one[:2] in samples for one in served)
    return any(same(found, served) for found in made)


def with_noise(source: str, options: TranslateOptions, size: float) -> Outcomes:
    """Translate one source with logits that are a little off."""
    _, model = _loaded()
    noise = model.output.register_forward_hook(
        lambda _module, _inputs, logits: logits + size * torch.randn_like(logits)
    )
    try:
        return reference(source, options)
    finally:
        noise.remove()


def same(found: Outcomes, expected: Outcomes) -> bool:
    """Compare the ids and the ends of all hypotheses, in order."""
    return [one[:2] for one in found] == [one[:2] for one in expected]


async def serve(address: str, jobs: Sequence[tuple[str, TranslateOptions]]) -> list[Outcomes]:
    """Translate in random order, many at a time; returns the results in the order given."""
    results: list[Outcomes] = [[] for _ in jobs]
    order = list(range(len(jobs)))
    random.Random(7).shuffle(order)
    pending = iter(order)

    async def worker(client: AsyncClient) -> None:
        for i in pending:
            source, options = jobs[i]
            wanted: TranslateOptions = {**options, "tokens": True, "scores": True}
            reply = await client.translate(source, **wanted)
            results[i] = [Outcome(h.token_ids, h.finish_reason, h.log_probability or 0.0) for h in reply.hypotheses]

    async with AsyncClient(address) as client:
        await asyncio.gather(*(worker(client) for _ in range(IN_FLIGHT)))
    return results


def references(sources: list[str], sets: Sequence[OptionSet]) -> Iterator[list[Outcomes]]:
    """Translate all sources with each set of options, or read what an earlier run with the same code made of them."""
    code = b"".join(Path(str(module.__file__)).read_bytes() for module in (reference_search, option_sets))
    files = read_bundle(BUNDLE).manifest.files
    weights = "".join(files[name].sha256 for name in ("vocabulary.model", "weights.bin"))
    fixed = hashlib.sha256(code + weights.encode() + json.dumps(sources).encode())
    CACHE.mkdir(exist_ok=True)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        for one in sets:
            key = fixed.copy()
            key.update(json.dumps(one.options, sort_keys=True).encode())
            file = CACHE / f"{key.hexdigest()[:24]}.json"
            if not file.exists():
                made = pool.map(reference, sources, [one.options] * len(sources), chunksize=8)
                file.write_text(json.dumps(list(made)))
            yield [[Outcome(tuple(ids), *rest) for ids, *rest in outcomes] for outcomes in json.loads(file.read_text())]


def report(one: OptionSet, sources: Sequence[str], served: Sequence[Outcomes], expected: Sequence[Outcomes]) -> None:
    """Print one line of the table, and one for each difference that is no tie."""
    pairs = list(zip(sources, served, expected, strict=True))
    differing = [(source, found) for source, found, wanted in pairs if not same(found, wanted)]
    wrong = [(source, found) for source, found in differing if not is_tie(source, one.options, found)]
    apart = [
        abs(a.log_probability - b.log_probability)
        for _, found, wanted in pairs
        if same(found, wanted)
        for a, b in zip(found, wanted, strict=True)
    ]
    share = f"{100 * (1 - len(differing) / len(sources)):.2f} %"
    ties, largest = len(differing) - len(wrong), f"{max(apart, default=0):.0e}"
    print("|", " | ".join(map(str, (one.name, one.beam or "", len(sources), share, ties, len(wrong), largest))), "|")
    for source, found in wrong[:3]:
        print(f"    {source!r}: served {found}, reference {reference(source, one.options)}")


def main() -> None:
    """Compare all option sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--sentences", type=int, default=500)
    parser.add_argument("--only", default="", metavar="NAME", help="option sets whose name holds this")
    arguments = parser.parse_args()
    sources = [*option_sets.UNUSUAL, *read_texts(arguments.file)[: arguments.sentences]]
    sets = [one for one in option_sets.option_sets() if arguments.only in one.name]
    expected = list(references(sources, sets))
    jobs = [(source, one.options) for one in sets for source in sources]
    with ServerProcess("--default-model", "en-de", "--precision", FP32, "--log-level", "warning") as server:
        served = asyncio.run(serve(server.address, jobs))
    print(HEAD)
    for number, (one, wanted) in enumerate(zip(sets, expected, strict=True)):
        start = number * len(sources)
        report(one, sources, served[start : start + len(sources)], wanted)


if __name__ == "__main__":
    main()
