"""`seq2serve align`: which words of a translation came from which of the source, in print or as a picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import cast

from seq2serve import heatmap
from seq2serve.commands import connection, exits, flags
from seq2serve.options import TranslateOptions
from seq2serve.request import translate_request
from seq2serve.result import Translation

_OWN = (
    *("alignment", "alignment_min_weight", "scores", "split_sentences"),
    *("stream_flush_tokens", "timing", "token_scores", "tokens"),
)
_NAMES = tuple(name for name in TranslateOptions.__annotations__ if name not in _OWN)


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subcommands.add_parser(
        "align",
        usage="%(prog)s [OPTION ...] TEXT",
        help="show which words a translation came from",
        description="Translate TEXT and print a line for each word of the translation: the word, a tab, and the words "
        "of TEXT that it came from, each with its attention weight. The model needs attention.",
        epilog=f"{flags.NOTE} {exits.EPILOG}",
    )
    parser.add_argument("text", metavar="TEXT", help="the text to translate")
    parser.add_argument(
        "--plot", metavar="FILE", type=Path, help="draw the weights instead (.png, .svg or .pdf; needs matplotlib)"
    )
    parser.add_argument(
        "--least",
        metavar="WEIGHT",
        type=float,
        default=0.1,
        help="print weights from here up (default: %(default)g)",
    )
    connection.add_flags(parser)
    flags.add_flags(parser, _NAMES)
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Align what the arguments name."""
    try:
        if args.plot and args.plot.suffix.removeprefix(".") not in heatmap.FORMATS:
            raise ValueError(f"--plot {args.plot}: a name that ends in .png, .svg or .pdf is needed")
        options = cast("TranslateOptions", flags.chosen(args, _NAMES))
        options["alignment"], options["alignment_min_weight"] = "soft_sparse", 0.0  # a picture shows even faint ones
        text = flags.source(args, args.text)
        translate_request(text, options)
    except ValueError as error:
        args.parser.error(str(error))
    with connection.connect(args) as client:
        found = client.translate(text, **options)
    source, target = _units(found)
    table = heatmap.weights(found, (len(target), len(source)))
    if args.plot is None:
        for word, row in zip(target, table, strict=True):
            kept = [f"{source[i]} {weight:.2f}" for i, weight in enumerate(row) if weight >= args.least]
            print(word, "  ".join(kept), sep="\t")
        return 0
    try:
        heatmap.write(args.plot, table, source, target)
    except ImportError:
        args.parser.error("--plot needs matplotlib: pip install 'seq2serve[plot]'")
    print(found.text)
    return 0


def _units(found: Translation) -> tuple[list[str], list[str]]:
    """Return the words or pieces of both sides, as they were asked for."""
    best = found.hypotheses[0]
    if found.source_words:
        return [word.text for word in found.source_words], [word.text for word in best.words]
    return list(found.source_tokens), list(best.tokens)
