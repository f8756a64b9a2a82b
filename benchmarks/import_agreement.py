"""Whether an imported model, served, says what the program that made it says: python -m benchmarks.import_agreement.

The program translates in an environment of its own, greedily (`benchmarks/originals/` says how to make one). The import
is exported and served in fp32. Where they differ, the command prints how far apart the two pieces are in PyTorch: a gap
of nearly nothing is a tie that rounding decides.
"""

import argparse
import asyncio
import json
import subprocess
import tempfile
from pathlib import Path

import torch

from benchmarks.agreement import NEAR_TIE, served
from export.foreign.command import PROGRAMS, run
from export.restore import restore
from models.data import pad_sources
from models.greedy import default_max_length
from models.seq2seq import Seq2Seq
from models.tokenizer import BOS_ID, EOS_ID
from service.parts import FP32
from tests.server_process import ServerProcess

ROOT = Path(__file__).parents[1]
CUTS_ITSELF = ("joeynmt",)  # the others are given pieces between spaces


def main() -> None:
    """Print the agreement, and each sentence that differs.

    Raises:
        SystemExit: a sentence differs by more than a tie.
    """
    parser = _parser()
    given = parser.parse_args()
    if given.program == "marian" and not given.pieces:
        parser.error("marian needs --pieces")
    sentences = given.text.read_text(encoding="utf-8").splitlines()
    with tempfile.TemporaryDirectory() as folder:
        # Marian itself is given the pieces for both sides, too.
        pieces = ["--pieces", str(given.pieces), "--one-vocabulary"] if given.pieces else []
        named = ["--vocabulary", str(given.vocabulary), "--languages", *given.languages, "--golden", str(given.text)]
        bundle = run([given.program, str(given.file), str(Path(folder) / "imported"), *pieces, *named])
        tokenizer, model = restore(bundle)
        options = ("--model-repository", folder, "--precision", FP32, "--log-level", "warning")
        with ServerProcess(*options) as server:
            ours = asyncio.run(served(server.address, sentences, in_flight=16))
    sources = tokenizer.encode(sentences)
    cut = [" ".join(tokenizer.pieces(source)) for source in sources]
    said = _original(given, sentences if given.program in CUTS_ITSELF else cut)
    numbers = {piece: number for number, piece in enumerate(tokenizer.pieces(range(len(tokenizer))))}
    equal, ties = 0, 0
    for sentence, source, mine, theirs in zip(sentences, sources, ours, said, strict=True):
        other = [numbers[piece] for piece in theirs.split()][: default_max_length(len(source))]
        if mine == other:
            equal += 1
            continue
        gap = _gap(model, source, mine, other)
        ties += gap < NEAR_TIE
        mine_text, their_text = tokenizer.decode([mine, other])
        print(f"{gap:.1e}  {sentence!r}: {mine_text!r}, {given.program}: {their_text!r}")
    distinct = len(set(map(tuple, ours)))  # a model that says one thing to all would agree too easily
    print(f"{given.program}: {equal} of {len(sentences)} translations are the same, {ties} differ by a tie")
    print(f"{distinct} of ours are distinct")
    if equal + ties < len(sentences):
        raise SystemExit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.import_agreement", description=__doc__)
    parser.add_argument("program", choices=PROGRAMS, help="who made it")
    parser.add_argument("file", type=Path, help="the program's checkpoint")
    parser.add_argument("text", type=Path, help="source sentences, one a line")
    parser.add_argument("--vocabulary", type=Path, required=True, help="SentencePiece model")
    parser.add_argument("--pieces", type=Path, help="Marian's vocabulary, a piece a line")
    parser.add_argument("--languages", nargs=2, default=("en", "de"), metavar=("SOURCE", "TARGET"), help="%(default)s")
    parser.add_argument("--python", required=True, help="interpreter of the environment that has the program")
    return parser


def _original(given: argparse.Namespace, lines: list[str]) -> list[str]:
    """Let the program translate; gives pieces between spaces."""
    worker = ROOT / "benchmarks" / "originals" / f"{given.program}.py"
    files = [str(path.resolve()) for path in (given.file, given.pieces) if path]
    command = [given.python, "-W", "ignore", str(worker), *files]
    answer = subprocess.run(command, input="\n".join(lines), text=True, stdout=subprocess.PIPE, check=True)
    found: list[str] = json.loads(answer.stdout.splitlines()[-1])
    return found


@torch.no_grad()
def _gap(model: Seq2Seq, source: list[int], mine: list[int], other: list[int]) -> float:
    """Return by how much our log-probabilities prefer our piece where the two, which differ, first do, in nats."""
    pairs = zip([*mine, EOS_ID], [*other, EOS_ID], strict=False)
    at, (one, two) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
    memory, state = model.encode(*pad_sources([source], model.config.source_end))
    logits = torch.empty(0)
    for previous in [BOS_ID, *mine[:at]]:
        logits, state, _ = model.step(torch.tensor([[previous]]), state, memory)
    return abs(float(logits[0, 0, one] - logits[0, 0, two]))


if __name__ == "__main__":
    main()
