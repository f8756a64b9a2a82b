"""Tokens of final output per second with a beam against greedy search, many calls in flight, in turns.

python -m benchmarks.beam_cost ../shared/data/tatoeba-en-de/test.tsv --rounds 5
"""

import argparse
import asyncio
import statistics
import time
from pathlib import Path

from benchmarks.texts import draw_texts
from seq2serve import AsyncClient
from service.settings import Settings
from tests.server_process import ServerProcess


async def tokens_per_second(address: str, sentences: list[str], in_flight: int, beam_size: int) -> float:
    """Translate all sentences with a fixed number of calls in flight; count the pieces of the best hypotheses."""
    pending, tokens = iter(sentences), 0

    async def worker(client: AsyncClient) -> None:
        nonlocal tokens
        for sentence in pending:
            found = await client.translate(sentence, beam_size=beam_size)
            tokens += found.usage.target_tokens

    async with AsyncClient(address, timeout=600) as client:
        await client.translate(sentences[0])
        started = time.perf_counter()
        await asyncio.gather(*(worker(client) for _ in range(in_flight)))
        return tokens / (time.perf_counter() - started)


def main() -> None:
    """Print every round and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="source<TAB>target lines; the sources are sent")
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sentences", type=int, default=600)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--slots", type=int, default=Settings.model_fields["slots"].default)
    arguments = parser.parse_args()
    sentences = draw_texts(arguments.file, arguments.sentences)
    ratios = []
    with ServerProcess("--slots", str(arguments.slots), "--log-level", "warning") as server:

        def measure(beam_size: int) -> float:
            return asyncio.run(tokens_per_second(server.address, sentences, arguments.in_flight, beam_size))

        measure(1)
        for number in range(arguments.rounds):
            greedy, beam = measure(1), measure(arguments.beam)
            ratios.append(beam / greedy)
            print(
                f"round {number + 1}: greedy {greedy:.0f}, beam {arguments.beam} {beam:.0f} tokens/s, "
                f"ratio {ratios[-1]:.3f}",
                flush=True,
            )
    print(f"median ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
