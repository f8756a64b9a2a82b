"""python -m export import PROGRAM FILE MODEL_REPOSITORY/NAME: a checkpoint of another program as a bundle."""

import argparse
import tempfile
from pathlib import Path

from pydantic import ValidationError

from export.errors import ExportError
from export.exporter import Options, export
from export.foreign import joeynmt, marian, opennmt
from export.foreign.foreign import Foreign
from export.origin import Origin
from models.config import DataConfig

PROGRAMS = ("opennmt", "joeynmt", "marian")


def run(arguments: list[str]) -> Path:
    """Import what the arguments name; returns the folder of the bundle.

    Raises:
        ExportError: the checkpoint or the vocabulary is refused, or the export is.
    """
    given = _parser().parse_args(arguments)
    data = _data(given)
    foreign = read(given.program, given.file, given.pieces or given.vocabulary, given.one_vocabulary)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer, model = foreign.build(given.vocabulary, Path(folder) / "vocabulary.model")
        half, origin = given.weights == "fp16", Origin(tokenizer, model, data, (), "give others with --golden")
        options = Options(given.file, given.target, half=half, precisions=tuple(given.precision))
        return export(options, origin)


def read(program: str, file: Path, pieces: Path, one_vocabulary: bool) -> Foreign:
    """Read a checkpoint of one of `PROGRAMS`; `pieces` is Marian's vocabulary, `one_vocabulary` that of both sides."""
    if program == "marian":
        return marian.read(file, pieces, one_vocabulary)
    return opennmt.read(file) if program == "opennmt" else joeynmt.read(file)


def _data(given: argparse.Namespace) -> DataConfig:
    """Say what a recipe would of the texts.

    Raises:
        ExportError: a flag's value is none that fits; names the flag.
    """
    try:
        return DataConfig.model_validate(
            {
                "source_language": given.languages[0],
                "target_language": given.languages[1],
                "train": [f"imported from {given.program}"],
                "valid": ["none"],
                "licence": given.licence,
                "golden": _sentences(given.golden),
            }
        )
    except ValidationError as error:
        raise ExportError(f"--languages {' '.join(given.languages)}: must be codes such as en de (BCP-47)") from error


def _sentences(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise ExportError(f"--golden {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ExportError(f"--golden {path}: not UTF-8 ({error.reason} at byte {error.start})") from error
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise ExportError(f"--golden {path}: holds no sentence, give source sentences, one a line")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export import", description="Import another program's model.")
    parser.add_argument("program", choices=PROGRAMS)
    parser.add_argument("file", type=Path, help="its checkpoint: .pt, .ckpt beside config.yaml, or .npz")
    parser.add_argument("target", type=Path, metavar="MODEL_REPOSITORY/NAME", help="the version is a folder in it")
    parser.add_argument("--vocabulary", type=Path, required=True, metavar="FILE", help="its SentencePiece model")
    parser.add_argument("--pieces", type=Path, metavar="FILE.txt", help="Marian's vocabulary, if it is another file")
    parser.add_argument("--one-vocabulary", action="store_true", help="Marian's is that of both languages, tied or not")
    parser.add_argument("--languages", nargs=2, required=True, metavar=("SOURCE", "TARGET"), help="such as en de")
    parser.add_argument("--golden", type=Path, required=True, metavar="FILE", help="source sentences, one a line")
    parser.add_argument("--licence", default="", help="of the model")
    parser.add_argument("--weights", choices=("fp16", "fp32"), default="fp32", help="stored as (%(default)s)")
    parser.add_argument("--precision", choices=("fp32", "int8"), nargs="+", default=["fp32"], help="of the products")
    return parser
