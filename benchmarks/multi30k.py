"""The published Multi30k benchmark for models trained on it, as a server translates: mean and spread over runs.

python -m models train models/recipes/multi30k-en-de.toml --data ../shared/data --run runs/multi30k-en-de-1
python -m benchmarks.multi30k ../shared/data runs/multi30k-en-de-*      (runs that differ in their seeds)
"""

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sacrebleu.metrics.bleu import BLEU
from sacremoses import MosesPunctNormalizer, MosesTokenizer

from benchmarks.quality import translate
from export.exporter import Options, export
from models.checkpoint import read_run
from tests.server_process import ServerProcess

SETS = ("test_2016_flickr", "test_2017_flickr")
BEAM = 5


@dataclass(frozen=True)
class Found:
    """Hold both scores of a text: as papers give it, and cased on plain text."""

    tokenized: float
    cased: float


def tokenize(texts: Sequence[str], language: str) -> list[str]:
    """Prepare texts as the references of WMT17's task 1 were: lower case, plain punctuation, Moses' tokens."""
    normalizer, tokenizer = MosesPunctNormalizer(lang=language), MosesTokenizer(lang=language)
    return [" ".join(tokenizer.tokenize(normalizer.normalize(text.lower()), escape=False)) for text in texts]


def score(hypotheses: Sequence[str], references: Sequence[str], language: str) -> Found:
    """Score one text; tokenized as multi-bleu.perl does, without any smoothing."""
    plain = BLEU(tokenize="none", smooth_method="none", force=True)
    tokens = tokenize(hypotheses, language), [tokenize(references, language)]
    return Found(plain.corpus_score(*tokens).score, BLEU().corpus_score(list(hypotheses), [list(references)]).score)


def measure(run: Path, data: Path, precision: str) -> dict[str, Found]:
    """Export a run, serve it, and score what it makes of the test sets."""
    recipe, _ = read_run(run)
    source, target = recipe.data.source_language, recipe.data.target_language
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        name = f"{source}-{target}"
        export(Options(run, Path(folder) / name, precisions=(precision,)))
        flags = ("--model-repository", folder, "--precision", precision, "--log-level", "warning")
        with ServerProcess(*flags) as server:
            for text in SETS:
                sources, references = (
                    (data / "multi30k" / f"{text}.{language}.txt").read_text("utf-8").splitlines()
                    for language in (source, target)
                )
                hypotheses = asyncio.run(translate(server.address, sources, BEAM, 1.0))
                found[text] = score(hypotheses, references, target)
    return found


def main() -> None:
    """Print the scores of every run, and their mean and spread."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder that holds multi30k/")
    parser.add_argument("runs", type=Path, nargs="+", help="of one language pair")
    parser.add_argument("--precision", choices=("fp32", "int8"), default="fp32")
    arguments = parser.parse_args()
    every = []
    for run in arguments.runs:
        every.append(measure(run, arguments.data, arguments.precision))
        for text, one in every[-1].items():
            print(
                f"{run.name}, {text}: {one.tokenized:.2f} tokenized, lower case; {one.cased:.2f} sacreBLEU", flush=True
            )
    for text in SETS:
        for what in ("tokenized", "cased"):
            scores = [getattr(found[text], what) for found in every]
            spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
            print(f"{text}, {what}: {statistics.mean(scores):.2f} ± {spread:.2f} of {len(scores)} runs")


if __name__ == "__main__":
    main()
