"""OpenNMT-py's side of the comparison; it runs in an environment that has OpenNMT-py 3.5.

Such an environment has PyTorch for the CPU, sacrebleu, PyYAML and what
`pip install --no-deps OpenNMT-py==3.5.1 configargparse pyonmttok` installs. The package asks for an older PyTorch; a
recurrent model needs none.

    PYTHON benchmarks/originals/opennmt.py train CONFIG.yaml     what onmt_train does
    PYTHON benchmarks/originals/opennmt.py MODEL.pt              translate lines of pieces
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from unittest.mock import MagicMock

# Transforms of text that is not translated here ask for these when they are imported.
NOT_NEEDED = ("spacy", "fasttext", "ahocorasick", "rapidfuzz")
LONGEST = 250  # its own limit, in pieces


def train(config: str) -> None:
    """Train as `onmt_train -config CONFIG.yaml`."""
    from onmt.bin.train import main

    sys.argv = ["onmt_train", "-config", config]
    main()


def translate(model: str) -> None:
    """Translate the lines of standard input greedily, and print a JSON list."""
    from onmt.bin.translate import _get_parser
    from onmt.bin.translate import translate as run

    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "source", Path(folder) / "output"
        source.write_text(sys.stdin.read() + "\n", encoding="utf-8")
        settings = f"-beam_size 1 -max_length {LONGEST} -max_length_ratio 0 -batch_size 16 -log_file {folder}/log"
        run(_get_parser().parse_args(["-model", model, "-src", str(source), "-output", str(output), *settings.split()]))
        print(json.dumps(output.read_text(encoding="utf-8").splitlines()))


if __name__ == "__main__":
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"  # its checkpoints hold its options; this one is trusted
    sys.modules |= {name: MagicMock() for name in NOT_NEEDED}
    train(sys.argv[2]) if sys.argv[1] == "train" else translate(sys.argv[1])
