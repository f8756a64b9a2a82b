"""How soon the first text of a stream comes: decoder steps before it, and time, for one request alone.

python -m benchmarks.first_text ../shared/data/tatoeba-en-de/test.tsv
"""

import argparse
import statistics
import time
from collections import Counter
from pathlib import Path

from benchmarks.texts import draw_texts
from seq2serve import Client
from tests.server_process import ServerProcess


def main() -> None:
    """Print how many steps came before the first text, and the times beside those of encoder and steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="source<TAB>target lines; the sources are sent")
    parser.add_argument("--sentences", type=int, default=500)
    arguments = parser.parse_args()
    sentences = draw_texts(arguments.file)
    steps: Counter[int] = Counter()
    first: list[float] = []
    whole: list[float] = []
    ready: list[float] = []
    bounds: list[float] = []
    with ServerProcess("--log-level", "warning") as server, Client(server.address) as client:
        for sentence in sentences[: arguments.sentences]:
            started = time.perf_counter()
            stream = client.translate_stream(sentence, tokens=True)
            pieces, seen = 0, False
            for delta in stream:
                if seen:
                    continue
                pieces += len(delta.tokens)
                if delta.text:
                    seen = True
                    first.append(time.perf_counter() - started)
                    steps[pieces] += 1
            whole.append(time.perf_counter() - started)
            timing = stream.result().timing
            assert timing is not None
            ready.append(timing.time_to_first_token)
            bounds.append(timing.encode + 2 * timing.decode / timing.decode_steps)
    print(f"decoder steps before the first text: {dict(sorted(steps.items()))}")
    within = sum(one <= bound for one, bound in zip(ready, bounds, strict=True))
    print(f"first piece within encoder + 2 steps, from the call's arrival at the server: {within} of {len(ready)}")
    figures = {
        "encoder + 2 steps, at the server": bounds,
        "first piece, at the server": ready,
        "first text, at the client": first,
        "whole translation, at the client": whole,
    }
    for name, seconds in figures.items():
        print(f"{name}: median {1000 * statistics.median(seconds):.2f} ms")


if __name__ == "__main__":
    main()
