"""A model for Marian of the bundled model's size: a bidirectional GRU encoder and a conditional GRU decoder.

Marian has one width for encoder and decoder, where ours has 256 in each direction and 512. At 512 Marian's model would
have 10.5 million parameters; at 352 it has as many as ours, with the same embeddings and output.
"""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy

VOCABULARY, EMBEDDING, WIDTH = 8000, 256, 352
UPDATES, LINES, WORDS = 2, 128, 10  # of a training that only writes the file
END, UNKNOWN = "</s>", "<unk>"  # Marian wants them first in its vocabulary
BIAS = "decoder_ff_logit_l2_b"
ALWAYS = 1e9  # bias of the end symbol: a sentence ends as soon as nothing is forced any more
# As from the command line: it ends the process, so it has one of its own.
TRAINER = (sys.executable, "-c", "import _pymarian, sys; sys.exit(_pymarian.main(sys.argv[1:]))", "train")


def parameters() -> int:
    """Count the parameters; source and target embeddings and the output are one matrix.

    A GRU has three gates, each with a matrix for its input, one for its state and a bias. Marian's attention is as wide
    as what it attends to: both directions of the encoder.
    """
    memory = 2 * WIDTH
    gru = 3 * (EMBEDDING * WIDTH + WIDTH * WIDTH + WIDTH)
    conditional = 3 * (memory * WIDTH + WIDTH * WIDTH + WIDTH)
    attention = WIDTH * memory + memory * memory + 2 * memory
    start = memory * WIDTH + WIDTH
    output = (EMBEDDING + WIDTH + memory) * EMBEDDING + 3 * EMBEDDING
    return VOCABULARY * EMBEDDING + VOCABULARY + 3 * gru + conditional + attention + start + output


def marian_vocabulary(pieces: list[str]) -> list[str]:
    """Put the symbols that Marian knows first; the others stay as many as they were."""
    return [END, UNKNOWN, *(piece for piece in pieces if piece not in (END, UNKNOWN))]


def train(vocabulary: list[str], folder: Path) -> Path:
    """Train for a moment on random words, and return the model's file."""
    words = folder / "words.txt"
    chosen = random.Random(1)
    lines = (" ".join(chosen.choices(vocabulary[4:], k=WORDS)) for _ in range(LINES))
    words.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    names = folder / "vocabulary.txt"
    names.write_text("".join(f"{piece}\n" for piece in vocabulary), encoding="utf-8")
    model = folder / "model.npz"
    options = ["--type", "s2s", "--tied-embeddings-all", "--dim-emb", str(EMBEDDING), "--dim-rnn", str(WIDTH)]
    options += ["--dim-vocabs", str(len(vocabulary)), str(len(vocabulary)), "--vocabs", str(names), str(names)]
    options += ["--train-sets", str(words), str(words), "--tempdir", str(folder), "--model", str(model)]
    options += ["--after", f"{UPDATES}u", "--mini-batch", "8", "--cpu-threads", "1", "--seed", "1", "--quiet"]
    subprocess.run([*TRAINER, *options], check=True)
    return model


def build(pieces: list[str], folder: Path) -> None:
    """Write the vocabulary and the model, which ends as soon as it may."""
    vocabulary = marian_vocabulary(pieces)
    with tempfile.TemporaryDirectory() as scratch, numpy.load(train(vocabulary, Path(scratch))) as file:
        weights = dict(file)
    weights[BIAS][0, vocabulary.index(END)] = ALWAYS
    (folder / "vocabulary.txt").write_text("".join(f"{piece}\n" for piece in vocabulary), encoding="utf-8")
    numpy.savez(folder / "model.npz", **weights)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    build(json.loads((target / "pieces.json").read_text(encoding="utf-8")), target)
