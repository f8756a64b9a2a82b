"""JoeyNMT's side of the comparison; it runs in an environment that has JoeyNMT 2.3.

Such an environment has PyTorch for the CPU, PyYAML, packaging, matplotlib, tqdm, sacrebleu, tensorboard and what
`pip install --no-deps joeynmt==2.3.0 'importlib_metadata<8' zipp subword_nmt sentencepiece==0.1.99` installs: JoeyNMT
calls a method that later SentencePiece has no more. The older protobuf that the package asks for is not needed.
`python -m joeynmt train CONFIG.yaml` trains there, with any `scheduling` but `plateau`.
"""

import json
import os
import sys
from pathlib import Path

LONGEST = 250  # pieces


def main(checkpoint: str) -> None:
    """Translate the lines of standard input greedily, and print a JSON list of pieces between spaces."""
    from joeynmt.config import load_config, parse_global_args, set_validation_args
    from joeynmt.prediction import predict, prepare

    folder = Path(checkpoint).parent
    settings = load_config(folder / "config.yaml")
    settings["model_dir"], settings["testing"]["load_model"] = str(folder), checkpoint
    for side in ("src", "trg"):  # it has copied what it cut with beside the checkpoint
        settings["data"][side].pop("voc_file", None)
        cutter = settings["data"][side]["tokenizer_cfg"]
        cutter["model_file"] = str(folder / Path(cutter["model_file"]).name)
    arguments = parse_global_args(settings, rank=0, mode="translate")
    model, _, _, data = prepare(arguments, rank=0, mode="translate")
    for line in sys.stdin.read().splitlines():
        data.set_item(line)
    test = set_validation_args(arguments.test)._replace(max_output_length=LONGEST)
    device, autocast = arguments.device, arguments.autocast
    _, _, _, found, _, _ = predict(model=model, data=data, device=device, n_gpu=0, args=test, autocast=autocast)
    print(json.dumps([" ".join(piece for piece in pieces if piece != "</s>") for pieces in found]))


if __name__ == "__main__":
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"  # its checkpoints are pickles; this one is trusted
    sys.path.pop(0)  # the folder of this file, which would be found for the package of the same name
    main(*sys.argv[1:])
