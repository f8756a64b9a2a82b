"""Whether an imported model says what the program that made it says: python -m benchmarks.import_agreement.

The program translates in an environment of its own, greedily, and so does the imported model, in PyTorch, to which an
export is held. Where they differ, the command prints how far apart the two pieces are in ours: a gap of nearly nothing
is a tie that rounding decides.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import torch

from export.foreign.command import read
from models.data import pad_sources
from models.greedy import default_max_length, greedy
from models.seq2seq import Seq2Seq
from models.tokenizer import BOS_ID

ROOT = Path(__file__).parents[1]
TIE = 1e-3  # nats


def main() -> None:
    """Print the agreement, and each sentence that differs.

    Raises:
        SystemExit: a sentence differs by more than a tie.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.import_agreement", description=__doc__)
    parser.add_argument("program", choices=("marian",), help="who made it")
    parser.add_argument("file", type=Path, help="the program's checkpoint")
    parser.add_argument("text", type=Path, help="source sentences, one a line")
    parser.add_argument("--vocabulary", type=Path, required=True, help="SentencePiece model")
    parser.add_argument("--pieces", type=Path, required=True, help="the program's vocabulary, a piece a line")
    parser.add_argument("--python", required=True, help="interpreter of the environment that has the program")
    given = parser.parse_args()
    sentences = given.text.read_text(encoding="utf-8").splitlines()
    with tempfile.TemporaryDirectory() as folder:
        foreign = read(given.program, given.file, given.pieces)
        tokenizer, model = foreign.build(given.vocabulary, Path(folder) / "vocabulary.model")
        sources = tokenizer.encode(sentences)
        ours = greedy(model, sources, [default_max_length(len(source)) for source in sources])
        numbers = {piece: number for number, piece in enumerate(tokenizer.pieces(range(len(tokenizer))))}
    lines = [" ".join(tokenizer.pieces(source)) for source in sources]
    said = _original(given, lines)
    equal, ties = 0, 0
    for sentence, source, mine, theirs in zip(sentences, sources, ours, said, strict=True):
        other = [numbers[piece] for piece in theirs.split()]
        if mine == other[: len(mine)] and (mine == other or len(mine) == default_max_length(len(source))):
            equal += 1
            continue
        gap = _gap(model, source, mine, other)
        ties += gap < TIE
        mine_text, their_text = tokenizer.decode([mine, other])
        print(f"{gap:.1e}  {sentence!r}: {mine_text!r}, {given.program}: {their_text!r}")
    print(f"{given.program}: {equal} of {len(sentences)} translations are the same, {ties} differ by a tie")
    if equal + ties < len(sentences):
        raise SystemExit(1)


def _original(given: argparse.Namespace, lines: list[str]) -> list[str]:
    """Let the program translate pieces between spaces."""
    worker = ROOT / "benchmarks" / "originals" / f"{given.program}.py"
    command = [given.python, str(worker), str(given.file.resolve()), str(given.pieces.resolve())]
    answer = subprocess.run(command, input="\n".join(lines), text=True, stdout=subprocess.PIPE, check=True)
    found: list[str] = json.loads(answer.stdout.splitlines()[-1])
    return found


@torch.no_grad()
def _gap(model: Seq2Seq, source: list[int], mine: list[int], other: list[int]) -> float:
    """Return by how much our log-probabilities prefer our piece where the two first differ, in nats."""
    memory, state = model.encode(*pad_sources([source], model.config.source_end))
    end = model.output.out_features  # behind both
    ends = [*mine, 3, end], [*other, 3, end]
    for at, (one, two) in enumerate(zip(*ends, strict=False)):
        previous = mine[at - 1] if at else BOS_ID
        logits, state, _ = model.step(torch.tensor([[previous]]), state, memory)
        if one != two:
            return abs(float(logits[0, 0, one] - logits[0, 0, two]))
    return 0.0


if __name__ == "__main__":
    main()
