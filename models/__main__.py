"""Train and evaluate models: python -m models train|evaluate|average|distill|speed|figures."""

import argparse
import logging
import os
import sys
from pathlib import Path

import torch
from pydantic import ValidationError

from models import checkpoint
from models.checkpoint import RunError
from models.config import Recipe, RecipeError, TextFile
from models.data import DataError, read_pairs
from models.distillation import distill
from models.evaluation import evaluate
from models.figures import command as figures
from models.processes import Processes
from models.speed import measure
from models.start import resume_run, start_run
from models.tokenizer import VocabularyError
from models.training import Trainer, write_best


def main() -> int:
    """Run a subcommand; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    arguments = _parser().parse_args()
    try:
        arguments.command(arguments)
    except (RecipeError, DataError, RunError, VocabularyError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description="Train and evaluate seq2seq models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train a model from a recipe")
    train.add_argument("recipe", type=Path, help="TOML recipe, see models/recipes/")
    train.add_argument("--data", type=Path, required=True, help="root folder that the recipe's paths start from")
    train.add_argument("--run", type=Path, required=True, help="folder for checkpoints, logs and the result")
    begin = train.add_mutually_exclusive_group()
    begin.add_argument("--origin", type=Path, help="a run whose best model's weights and vocabulary RUN begins with")
    begin.add_argument("--resume", action="store_true", help="go on from the newest checkpoint of RUN")
    train.set_defaults(command=_train)
    scores = commands.add_parser("evaluate", help="print BLEU and chrF of a run's best model on parallel text")
    scores.add_argument("run", type=Path)
    scores.add_argument("file", type=Path, help="source<TAB>target lines")
    scores.add_argument("--columns", default="source,target", help="names of the file's columns, comma-separated")
    scores.set_defaults(command=_evaluate)
    mean = commands.add_parser("average", help="average a run's best checkpoints into RUN/best")
    mean.add_argument("run", type=Path)
    mean.add_argument("--data", type=Path, required=True, help="root folder of the validation text")
    mean.set_defaults(command=_average)
    teach = commands.add_parser("distill", help="translate training text by several runs' models, for another to learn")
    teach.add_argument("runs", type=Path, nargs="+", metavar="run", help="of one vocabulary and training text")
    teach.add_argument("--data", type=Path, required=True, help="root folder that the recipes' paths start from")
    teach.add_argument(
        "--out", type=Path, required=True, help="beginning of the files: OUT.<language>.txt, two of them"
    )
    teach.add_argument("--beam", type=int, default=5, help="hypotheses of each source (%(default)s)")
    teach.set_defaults(command=_distill)
    speed = commands.add_parser("speed", help="measure how fast a recipe trains, and where the time goes")
    speed.add_argument("recipe", type=Path)
    speed.add_argument("--data", type=Path, required=True, help="root folder that the recipe's paths start from")
    speed.add_argument("--updates", type=int, default=20, help="to measure, after some to warm up (%(default)s)")
    speed.add_argument("--profile", action="store_true", help="print what PyTorch's operators take")
    speed.set_defaults(command=_speed)
    figures.add_parser(commands)
    for command in (train, scores, mean, teach, speed):
        command.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
        command.add_argument("--threads", type=int, default=0, help="CPU threads; 0 = all cores")
    return parser


def _device(arguments: argparse.Namespace) -> torch.device:
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    available = torch.cuda.is_available()
    if arguments.device == "cuda" and not available:
        raise RunError("--device cuda: this PyTorch sees no GPU (use --device cpu, or install a CUDA build and driver)")
    if available and arguments.device != "cpu":
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def _train(arguments: argparse.Namespace) -> None:
    recipe = Recipe.read(arguments.recipe)
    device = _device(arguments)
    processes = Processes(device)
    if processes.leads:
        if arguments.resume:
            tokenizer = resume_run(recipe, arguments.run)
        else:
            tokenizer = start_run(recipe, arguments.data, arguments.run, arguments.origin)
    else:
        logging.getLogger("models").setLevel(logging.WARNING)
    processes.wait()
    if not processes.leads:
        _, tokenizer = checkpoint.read_run(arguments.run)
    trainer = Trainer(recipe, tokenizer, arguments.data, arguments.run, device, processes)
    if arguments.resume or arguments.origin:
        trainer.resume()
    trainer.train()
    processes.close()


def _distill(arguments: argparse.Namespace) -> None:
    if arguments.beam < 1:
        raise RunError(f"--beam {arguments.beam}: at least 1")
    distill(arguments.runs, arguments.data, arguments.out, arguments.beam, _device(arguments))


def _speed(arguments: argparse.Namespace) -> None:
    recipe = Recipe.read(arguments.recipe)
    measure(recipe, arguments.data, _device(arguments), arguments.updates, arguments.profile)


def _evaluate(arguments: argparse.Namespace) -> None:
    recipe, tokenizer, model, _ = checkpoint.load_best(arguments.run, _device(arguments))
    try:
        file = TextFile(path=str(arguments.file.resolve()), columns=tuple(arguments.columns.split(",")))
    except ValidationError as error:
        raise RecipeError(f"--columns {arguments.columns}: {error.errors()[0]['msg']}") from error
    scores = evaluate(model, tokenizer, read_pairs(Path("/"), [file], recipe.data))
    print(f"BLEU {scores.bleu:.2f}  {scores.bleu_signature}")
    print(f"chrF {scores.chrf:.2f}  {scores.chrf_signature}")


def _average(arguments: argparse.Namespace) -> None:
    recipe, tokenizer = checkpoint.read_run(arguments.run)
    model = checkpoint.build_model(recipe, tokenizer).to(_device(arguments))
    pairs = read_pairs(arguments.data, recipe.data.valid, recipe.data)
    write_best(arguments.run, recipe.training.average, model, tokenizer, pairs)


if __name__ == "__main__":
    sys.exit(main())
