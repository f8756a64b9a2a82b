"""BLEU and chrF of the served model, by beam size and length penalty.

python -m benchmarks.quality ../shared/data/tatoeba-en-de/test.tsv --beams 1 5 --length-penalties 0 1
python -m benchmarks.quality ../shared/data/tatoeba-en-fr/test.tsv --model en-fr/1
"""

import argparse
import asyncio
from pathlib import Path

from benchmarks.texts import read_pairs
from models.evaluation import score
from seq2serve import AsyncClient
from tests.server_process import ServerProcess

IN_FLIGHT = 64


async def translate(address: str, sources: list[str], beam_size: int, length_penalty: float) -> list[str]:
    """Translate all sources, some at a time; returns them in order."""
    room = asyncio.Semaphore(IN_FLIGHT)

    async def one(client: AsyncClient, source: str) -> str:
        async with room:
            return (await client.translate(source, beam_size=beam_size, length_penalty=length_penalty)).text

    async with AsyncClient(address, timeout=600) as client:
        return await asyncio.gather(*(one(client, source) for source in sources))


def main() -> None:
    """Print a line for every setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="source<TAB>target lines")
    parser.add_argument("--model", default="en-de/1", help="NAME/VERSION of a bundled model (%(default)s)")
    parser.add_argument("--options", default="", help="of the server, such as '--precision fp32'")
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--length-penalties", type=float, nargs="+", default=[1.0])
    arguments = parser.parse_args()
    sources, references = map(list, zip(*read_pairs(arguments.file), strict=True))
    flags = ("--serve-versions", arguments.model, "--log-level", "warning", *arguments.options.split())
    with ServerProcess(*flags) as server:
        for beam_size in arguments.beams:
            for length_penalty in arguments.length_penalties if beam_size > 1 else [0.0]:
                found = score(asyncio.run(translate(server.address, sources, beam_size, length_penalty)), references)
                print(
                    f"{arguments.file.parent.name}/{arguments.file.name}, beam {beam_size}, "
                    f"length penalty {length_penalty:g}: BLEU {found.bleu:.2f}, chrF {found.chrf:.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
