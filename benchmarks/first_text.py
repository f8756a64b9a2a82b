"""How soon the first text of a stream comes: decoder steps before it, and time, for one request alone.

python -m benchmarks.first_text ../shared/data/tatoeba-en-de/test.tsv
"""

import argparse
import random
import statistics
import time
from collections import Counter
from pathlib import Path

from seq2serve import Client
from tests.server_process import ServerProcess


def main() -> None:
    """Print how many steps came before the first text, and the times beside those of encoder and steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="source<TAB>target lines; the sources are sent")
    parser.add_argument("--sentences", type=int, default=500)
    arguments = parser.parse_args()
    sentences = [line.split("\t")[0] for line in arguments.file.read_text(encoding="utf-8").splitlines()]
    random.Random(1).shuffle(sentences)
    steps: Counter[int] = Counter()
    first: list[float] = []
    whole: list[float] = []
    bounds: list[float] = []
    with ServerProcess("--log-level", "warning") as server, Client(server.address) as client:
        for sentence in sentences[: arguments.sentences]:
            started = time.perf_counter()
            stream = client.translate_stream(sentence, tokens=True)
            pieces = 0
            for delta in stream:
                pieces += len(delta.tokens)
                if delta.text:
                    break
            first.append(time.perf_counter() - started)
            steps[pieces] += 1
            stream.cancel()
            started = time.perf_counter()
            timing = client.translate(sentence).timing
            whole.append(time.perf_counter() - started)
            assert timing is not None
            bounds.append(timing.encode + 2 * timing.decode / timing.decode_steps)
    print(f"decoder steps before the first text: {dict(sorted(steps.items()))}")
    for name, seconds in (("first text, at the client", first), ("encoder + 2 steps, at the server", bounds)):
        print(f"{name}: median {1000 * statistics.median(seconds):.2f} ms")
    print(f"whole translation, at the client: median {1000 * statistics.median(whole):.2f} ms")


if __name__ == "__main__":
    main()
