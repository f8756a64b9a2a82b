"""Served greedy ids against PyTorch's, for the weights as they are stored: alone, and 64 at a time in random order.

python -m benchmarks.agreement BUNDLE FILE [FILE ...]     (source<TAB>target lines, or one source a line)
"""

import argparse
import asyncio
import random
from pathlib import Path

import torch

from benchmarks.texts import read_texts
from export.restore import restore
from models.greedy import translate
from models.seq2seq import Seq2Seq
from models.tokenizer import BOS_ID, Tokenizer
from seq2serve import AsyncClient
from service.parts import FP32
from tests.server_process import ServerProcess

NEAR_TIE = 1e-4  # log-probability between the best two pieces


async def served(address: str, sources: list[str], in_flight: int) -> list[list[int]]:
    """Translate sources in random order with a number of calls in flight; returns ids in the order given."""
    results: list[list[int]] = [[] for _ in sources]
    order = list(range(len(sources)))
    random.Random(7).shuffle(order)
    pending = iter(order)

    async def worker(client: AsyncClient) -> None:
        for i in pending:
            reply = await client.translate(sources[i], tokens=True)
            results[i] = list(reply.hypotheses[0].token_ids)

    async with AsyncClient(address) as client:
        await asyncio.gather(*(worker(client) for _ in range(in_flight)))
    return results


@torch.no_grad()
def gap(model: Seq2Seq, source: list[int], ours: list[int], theirs: list[int]) -> float:
    """Return PyTorch's gap between the best two pieces at the step where two outputs part."""
    common = next(
        (i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs))
    )
    memory, state = model.encode(torch.tensor([source]), torch.tensor([len(source)]))
    logits = torch.empty(0)
    for piece in [BOS_ID, *theirs[:common]]:
        logits, state, _ = model.step(torch.tensor([[piece]]), state, memory)
    best = logits[0, 0].log_softmax(-1).topk(2).values
    return float(best[0] - best[1])


def compare(name: str, model: Seq2Seq, tokenizer: Tokenizer, sources: list[str], address: str) -> None:
    """Print how many sources get the same ids, and how close the others were."""
    ids = tokenizer.encode(sources)
    reference = translate(model, ids)
    for label, in_flight in (("alone", 1), ("64 in flight", 64)):
        outputs = asyncio.run(served(address, sources, in_flight))
        differing = [i for i, (a, b) in enumerate(zip(outputs, reference, strict=True)) if a != b]
        share = 100 * (1 - len(differing) / len(sources))
        print(
            f"{name}, {label}: {len(sources) - len(differing)} of {len(sources)} the same ({share:.2f} %)", flush=True
        )
        for i in differing:
            distance = gap(model, ids[i], outputs[i], reference[i])
            verdict = "near-tie" if distance < NEAR_TIE else "NOT a near-tie"
            print(f"  line {i + 1}: gap {distance:.2e}, {verdict}")


def main() -> None:
    """Compare every file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="MODEL_REPOSITORY/NAME/VERSION")
    parser.add_argument("files", type=Path, nargs="+")
    arguments = parser.parse_args()
    tokenizer, model = restore(arguments.bundle)
    repository, name = arguments.bundle.resolve().parents[1], arguments.bundle.resolve().parent.name
    options = ("--model-repository", str(repository), "--default-model", name, "--precision", FP32)
    with ServerProcess(*options, "--log-level", "warning") as server:
        for file in arguments.files:
            sources = read_texts(file)
            compare(f"{file.parent.name}/{file.name}", model, tokenizer, sources, server.address)


if __name__ == "__main__":
    main()
