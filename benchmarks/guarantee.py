"""How many results depend on the company they are computed in: requests one at a time, and many at a time.

python -m benchmarks.guarantee ../shared/data/tatoeba-en-de/test.tsv --requests 10000
"""

import argparse
import asyncio
import random
import time
from pathlib import Path
from typing import Any

from benchmarks.texts import read_texts
from seq2serve import AsyncClient
from tests.server_process import ServerProcess

# Half of the requests are greedy, as in life; the others take one of these.
OPTIONS: tuple[dict[str, Any], ...] = (
    {"beam_size": 2},
    {"beam_size": 5, "num_hypotheses": 5},
    {"beam_size": 5, "length_penalty": 0.6, "coverage_penalty": 0.2},
    {"beam_size": 12, "num_hypotheses": 3, "patience": 2.0},
    {"beam_size": 4, "no_repeat_ngram_size": 2, "repetition_penalty": 1.2},
    {"temperature": 1.0},
    {"temperature": 0.7, "top_k": 20, "top_p": 0.9, "num_hypotheses": 3},
    {"min_length": 8, "repetition_guard": True},
    {"target_prefix": "Ich", "num_hypotheses": 4, "return_alternatives": True},
    {"target_prefix": "Das ist", "prefix_bias": 0.3, "beam_size": 3},
    {"repetition_penalty": 1.5, "disable_unknown": True},
    {"alignment": "soft_sparse", "alignment_unit": "piece"},
)


def make_requests(sources: list[str], count: int) -> list[tuple[str, dict[str, Any]]]:
    """Draw sources and options; those that sample get seeds."""
    drawn = random.Random(1)
    requests = []
    for _ in range(count):
        options = drawn.choice(OPTIONS) if drawn.random() < 0.5 else {}
        seed = {"seed": drawn.getrandbits(64)} if "temperature" in options else {}
        requests.append((drawn.choice(sources), options | seed))
    return requests


async def run(address: str, requests: list[tuple[str, dict[str, Any]]], in_flight: int, seed: int) -> list[bytes]:
    """Send all requests in random order; returns what each got, to the last bit."""
    order = list(range(len(requests)))
    random.Random(seed).shuffle(order)
    pending = iter(order)
    results = [b""] * len(requests)

    async def worker(client: AsyncClient) -> None:
        for i in pending:
            source, options = requests[i]
            wanted = {"tokens": True, "scores": True, "token_scores": True, "timing": False}
            found = await client.translate(source, **(options | wanted))
            results[i] = b"".join(h.SerializeToString(deterministic=True) for h in found.message.hypotheses)

    async with AsyncClient(address, timeout=600) as client:
        await asyncio.gather(*(worker(client) for _ in range(in_flight)))
    return results


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="source<TAB>target lines; the sources are sent")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[64, 200])
    parser.add_argument("--precision", choices=("auto", "fp32", "int8"), default="auto")
    arguments = parser.parse_args()
    sources = read_texts(arguments.file)
    requests = make_requests(sources, arguments.requests)
    with ServerProcess("--precision", arguments.precision, "--log-level", "warning") as server:
        alone = asyncio.run(run(server.address, requests, 1, 1))
        for in_flight in arguments.in_flight:
            started = time.perf_counter()
            together = asyncio.run(run(server.address, requests, in_flight, in_flight))
            different = sum(one != other for one, other in zip(alone, together, strict=True))
            seconds = time.perf_counter() - started
            print(
                f"{in_flight} in flight against alone: {different} of {len(requests)} results differ in any bit "
                f"({seconds:.0f} s)",
                flush=True,
            )


if __name__ == "__main__":
    main()
