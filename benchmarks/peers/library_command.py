"""The command line that measured libraries share."""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeAlias

import sentencepiece

from benchmarks.peers.library_process import ROOT, Library
from benchmarks.peers.library_result import PRECISIONS, Result

BUNDLE = ROOT / "model_repository" / "en-de" / "1"
Run: TypeAlias = Callable[[list[list[str]], list[int], str], Result]


def vocabulary_file(bundle: Path) -> Path:
    """Find a bundle's vocabulary."""
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    return bundle.resolve() / str(manifest["vocabulary"]["file"])


def main(description: str | None, library: Library, run: Run, arguments: Sequence[str] | None = None) -> None:
    """Install a library, or print what it takes to translate a file to as many pieces as each source has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--install", action="store_true", help="make the virtual environment and the model, once")
    parser.add_argument("file", type=Path, nargs="?", help="a source, or a source, a tab and a target, per line")
    parser.add_argument("--precision", choices=PRECISIONS, default=PRECISIONS[0])
    parser.add_argument("--sentences", type=int, help="only so many; default all")
    chosen = parser.parse_args(arguments)
    vocabulary = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary_file(BUNDLE)))
    if chosen.install:
        library.install([vocabulary.id_to_piece(one) for one in range(vocabulary.get_piece_size())])
    elif chosen.file is None:
        parser.error("give a file, or --install")
    elif reason := library.missing():
        parser.exit(1, reason + "\n")
    else:
        lines = chosen.file.read_text(encoding="utf-8").splitlines()[: chosen.sentences]
        sources = [vocabulary.encode(line.split("\t")[0], out_type=str) for line in lines]
        result = run(sources, [len(source) for source in sources], chosen.precision)
        rates = {"sentences_per_second": result.sentences_per_second, "tokens_per_second": result.tokens_per_second}
        print(json.dumps(asdict(result) | rates, indent=2))
