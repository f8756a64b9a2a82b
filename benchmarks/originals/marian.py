"""Marian's side of the comparison; it runs in an environment with `pip install --no-deps pymarian==1.12.42`."""

import json
import sys


def main(model: str, pieces: str) -> None:
    """Translate the lines of standard input greedily, and print a JSON list."""
    import _pymarian  # here, for tests; pymarian itself also wants what downloads models

    settings = "--beam-size 1 --normalize 0 --skip-cost --mini-batch 16 --cpu-threads 1"
    settings += " --max-length-factor 9"
    translator = _pymarian.Translator(f"--models {model} --vocabs {pieces} {pieces} {settings} --quiet")
    print(json.dumps(translator.translate(sys.stdin.read().splitlines())))


if __name__ == "__main__":
    main(*sys.argv[1:])
